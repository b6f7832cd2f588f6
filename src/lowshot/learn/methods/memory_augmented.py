"""Memory-augmented neural networks (Santoro, Bartunov, Botvinick, Wierstra & Lillicrap, ICML 2016, arXiv 1605.06065).

An LSTM reads items one after another, each with the label of the one before, and learns to write what it sees to a memory
and to find it there when the class comes again. The weights learn how to remember; what is remembered lives in the
memory, which is empty at the start of every sequence.

Shape suffixes: S sequences, T times, I numbers of an input, G the four gates' numbers.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from lowshot.learn.external_memory import ExternalMemory, LeastRecentlyUsed, NeuralTuringMachine, State
from lowshot.learn.method import Record
from lowshot.learn.sequence import CPU, FRONT, PAPER, SequenceConfig, SequenceMethod

_MEMORY: dict[str, Any] = {"rows": 64, "own_vector": True, "strength": 10}


class MemoryConfig(SequenceConfig):
    """Defaults: the paper's (section 4.1 and its supplement): a controller of 200, a memory of 128 × 40, four heads.

    Attributes:
        addressing: ``lrua``, by least recently used access (section 3.2); or ``ntm``, as the Neural Turing Machine.
        rows, width: of the memory.
        heads: that read, and as many that write.
        usage_decay, own_vector, strength: see :class:`~lowshot.learn.external_memory.LeastRecentlyUsed`; of ``lrua`` only.
    """

    addressing: Literal["lrua", "ntm"] = "lrua"
    rows: int = Field(default=128, ge=2)
    width: int = Field(default=40, ge=1)
    heads: int = Field(default=4, ge=1)
    usage_decay: float = Field(default=0.99, ge=0, le=1)
    own_vector: bool = False
    strength: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _a_row_for_each_head(self) -> MemoryConfig:
        if self.heads > self.rows:
            raise ValueError(f"{self.heads} heads need as many rows to write to, not {self.rows}: ask for fewer heads")
        return self

    def memory(self) -> ExternalMemory:
        """A memory for the controller."""
        size: dict[str, Any] = {"rows": self.rows, "width": self.width, "heads": self.heads}
        if self.addressing == "ntm":
            return NeuralTuringMachine(self.controller, **size)
        how: dict[str, Any] = {"decay": self.usage_decay, "own_vector": self.own_vector, "strength": self.strength}
        return LeastRecentlyUsed(self.controller, **size, **how)


class MemoryAugmentedNetwork(SequenceMethod[MemoryConfig]):
    """Cross-entropy of y_t from what the controller gives and what it reads, o_t = (h_t, r_t)."""

    record = Record("mann", "Memory-Augmented Neural Network", "Santoro et al., ICML", 2016, "sequences")
    Config = MemoryConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": PAPER},
        "cpu": {"method": FRONT | _MEMORY, "recipe": CPU},
        "strings": {"method": FRONT | _MEMORY | {"labels": "strings"}, "recipe": CPU},
        "ntm": {"method": FRONT | {"rows": 64, "addressing": "ntm"}, "recipe": CPU},
    }

    def __init__(self, config: MemoryConfig) -> None:
        super().__init__(config)
        self.memory = config.memory()
        outputs = config.controller + self.memory.reads
        self.from_inputs = nn.Linear(self.inputs, 4 * config.controller)
        self.from_before = nn.Linear(outputs, 4 * config.controller, bias=False)
        self.answer = nn.Linear(outputs, self.answers)

    def start(self, batch: int, like: Tensor) -> State:
        """Controller output and what was read (S, outputs), the controller's cell, and an empty memory."""
        controller = self.config.controller
        zeros = like.new_zeros(batch, controller + self.memory.reads)
        return zeros, zeros[:, :controller], *self.memory.start(batch, like)

    def read(self, inputs_STI: Tensor, state: State) -> tuple[Tensor, State]:
        """See :meth:`SequenceMethod.read`. The controller also takes what was read before (section 3.1)."""
        with torch.autocast(inputs_STI.device.type, enabled=False):
            output, cell, *rest = state
            memory, outputs = tuple(rest), []
            gates_TSG = self.from_inputs(inputs_STI).transpose(0, 1)  # no time depends on another here: one product
            for gates_SG in gates_TSG.unbind():
                hidden, cell = _lstm(torch.addmm(gates_SG, output, self.from_before.weight.T), cell)
                reads, memory = self.memory(hidden, memory)
                output = torch.cat([hidden, reads], dim=1)
                outputs.append(output)
            return self.answer(torch.stack(outputs, dim=1)), (output, cell, *memory)


def _lstm(gates_SG: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Output and cell of an LSTM, from the sums that go into its gates: three that open, then what may come in."""
    open_SG, new = gates_SG.split([3 * cell.shape[1], cell.shape[1]], dim=1)
    come, stay, out = open_SG.sigmoid().chunk(3, dim=1)
    cell = torch.addcmul(stay * cell, come, new.tanh())
    return out * cell.tanh(), cell
