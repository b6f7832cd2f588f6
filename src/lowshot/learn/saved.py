"""Trained methods on disk: weights and a story in one safetensors file, never a pickle.

For methods that no encoder file can hold, since they look at the whole support set, and for whoever wants the weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lowshot.data import Form, Spelling
from lowshot.disk import write_atomically
from lowshot.errors import EncoderError, LowshotError
from lowshot.learn.batches import to_device
from lowshot.learn.method import Method
from lowshot.learn.methods import find_method
from lowshot.learn.sequence import SequenceMethod
from lowshot.learn.trainer import embed_all

SUFFIX = ".safetensors"
_KEY = "lowshot.method"
_TOGETHER = 100  # episodes or sequences answered at once


class Story(BaseModel):
    """What a file says of the method in it; see :class:`~lowshot.encoder.Card` for the fields they share.

    Attributes:
        config: ``method``, its configuration; ``recipe``, how it was trained; and how that went.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    method: str
    config: dict[str, Any]
    background: str = ""
    background_fingerprint: str = ""
    command: str = ""


@dataclass(frozen=True)
class SavedMethod:
    """A trained method that answers episodes."""

    method: Method[Any]
    card: Story

    @property
    def form(self) -> Form:
        """The items it takes."""
        config = self.method.config
        form: Form = config.form
        return form

    def scores(
        self, items: NDArray[Any], support_EWK: NDArray[np.int64], query_EM: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """How well each query fits each way, (E, M, W), higher is better.

        Args:
            items: packed in the method's form.
            support_EWK, query_EM: indices of items.
        """
        features = embed_all(self.method, to_device(items, self.method.config, self._device))
        support, query = (torch.from_numpy(each).to(self._device) for each in (support_EWK, query_EM))
        chunks = zip(support.split(_TOGETHER), query.split(_TOGETHER), strict=True)
        with torch.no_grad():
            scores = torch.cat([self.method.scores(features[one], features[other]) for one, other in chunks])
        return scores.float().cpu().numpy()

    @property
    def _device(self) -> torch.device:
        return next(self.method.parameters()).device


@dataclass(frozen=True)
class SavedSequenceMethod(SavedMethod):
    """A trained method that answers one item after another, too; see :class:`~lowshot.evaluate.sequences.Presenting`."""

    method: SequenceMethod[Any]

    @property
    def spelling(self) -> Spelling:
        """The labels it can give."""
        config = self.method.config
        spelling: Spelling = config.spelling
        return spelling

    def present(
        self, items: NDArray[Any], index_ST: NDArray[np.int64], labels_STL: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The likeliest label at each time (S, T, L), from packed items, their indices and their labels."""
        features_ND = embed_all(self.method, to_device(items, self.method.config, self._device))
        index, labels = (torch.from_numpy(each).to(self._device).split(_TOGETHER) for each in (index_ST, labels_STL))
        with torch.no_grad():
            answers = [self.method.present(features_ND[rows], known) for rows, known in zip(index, labels, strict=True)]
        return torch.cat(answers).cpu().numpy()


def save_method(path: Path, method: Method[Any], story: Story) -> None:
    """Write weights and story, all or nothing."""
    weights = {key: value.detach().cpu().contiguous() for key, value in method.state_dict().items()}
    write_atomically(path, save(weights, {_KEY: story.model_dump_json()}))


def load_method(path: Path) -> SavedMethod:
    """Read a file of :func:`save_method`. Raises EncoderError where it is none, or was written by another version."""
    try:
        with safe_open(path, framework="pt") as file:
            story = Story.model_validate_json((file.metadata() or {})[_KEY])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        chosen = find_method(story.method)
        method = chosen(chosen.Config.model_validate(story.config["method"]))
        method.load_state_dict(weights)
    except FileNotFoundError:
        raise EncoderError(f"{path}: there is no such file") from None
    except SafetensorError:
        raise EncoderError(f"{path}: not a safetensors file, or one cut short") from None
    except (OSError, KeyError, ValidationError, RuntimeError, json.JSONDecodeError) as error:
        raise EncoderError(f"{path} holds no method of this version of lowshot: {_first_line(error)}") from None
    except LowshotError as error:
        raise EncoderError(f"{path}: {error}") from None
    method.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    return SavedSequenceMethod(method, story) if isinstance(method, SequenceMethod) else SavedMethod(method, story)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
