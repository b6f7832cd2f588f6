"""The LSTM that memory-augmented networks are compared with (Santoro et al. 2016, section 4; Hochreiter & Schmidhuber 1997).

It reads the same sequences of (x_t, y_{t-1}) and has nothing to remember them by but its own cell.

Shape suffixes: S sequences, T times, I numbers of an input.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lowshot.learn.external_memory import State
from lowshot.learn.method import Record
from lowshot.learn.sequence import CPU, FRONT, PAPER, SequenceConfig, SequenceMethod


class LSTMConfig(SequenceConfig):
    """Defaults: the paper's; see :class:`~lowshot.learn.sequence.SequenceConfig`."""


class LSTMNetwork(SequenceMethod[LSTMConfig]):
    """Cross-entropy of y_t from the output of an LSTM."""

    record = Record("lstm", "LSTM", "baseline of Santoro et al., ICML", 2016, "sequences")
    Config = LSTMConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": PAPER},
        "cpu": {"method": FRONT, "recipe": CPU},
    }

    def __init__(self, config: LSTMConfig) -> None:
        super().__init__(config)
        self.lstm = nn.LSTM(self.inputs, config.controller, batch_first=True)
        self.answer = nn.Linear(config.controller, self.answers)

    def start(self, batch: int, like: Tensor) -> State:
        """Output and cell (S, controller), zeros."""
        zeros = like.new_zeros(batch, self.config.controller)
        return zeros, zeros

    def read(self, inputs_STI: Tensor, state: State) -> tuple[Tensor, State]:
        """See :meth:`SequenceMethod.read`."""
        with torch.autocast(inputs_STI.device.type, enabled=False):
            outputs, (hidden, cell) = self.lstm(inputs_STI, (state[0][None], state[1][None]))
            return self.answer(outputs), (hidden[0], cell[0])
