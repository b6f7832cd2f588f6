"""From packed items to what a model takes: pixels and samples scaled, texts cut into pieces of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowshot.data import Modality
from lowshot.data.forms import Packed
from lowshot.encoder.card import Card
from lowshot.errors import EncoderError

TOKENIZER = "lowshot.tokenizer"  # the key in a file's metadata: JSON of the package tokenizers

Feed = dict[str, NDArray[Any]]  # by the name of a model's input
Feeder = Callable[[Packed], Feed]

_CHUNK_BYTES = 4 << 20  # of float32 at once: small enough to stay in cache
_TEXTS = 32  # at once: they are filled up to the longest of them


def feeder(card: Card, inputs: Sequence[str], metadata: Mapping[str, str]) -> Feeder:
    """What turns packed items into the inputs of a model, which are named."""
    by_modality: dict[Modality, Callable[[], Feeder]] = {
        "image": lambda: _pixels(card, inputs[0]),
        "sound": lambda: _samples(card, inputs[0]),
        "text": lambda: _tokens(card.form.tokens, inputs, metadata),  # type: ignore[union-attr]  # the card has checked it
    }
    return by_modality[card.modality]()


def chunk(card: Card) -> int:
    """How many items to put through a model at once."""
    size = int(np.prod(card.form.shape))
    return _TEXTS if card.modality == "text" else max(1, _CHUNK_BYTES // (4 * size))


def _pixels(card: Card, name: str) -> Feeder:
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (card.mean, card.std))

    def feed(items: Packed) -> Feed:
        pixels = np.ascontiguousarray(items.transpose(0, 3, 1, 2)).astype(np.float32)
        pixels -= mean
        pixels /= std
        return {name: pixels}

    return feed


def _samples(card: Card, name: str) -> Feeder:
    mean, std = np.float32(card.mean[0]), np.float32(card.std[0])
    return lambda items: {name: (items.astype(np.float32) - mean) / std}


def _tokens(most: int, inputs: Sequence[str], metadata: Mapping[str, str]) -> Feeder:
    """Pieces of words, as the tokenizer in the encoder's file says; of a longer text the first ``most``."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise EncoderError("texts are read by the package tokenizers: pip install 'lowshot[text]'") from None
    try:
        tokenizer = Tokenizer.from_str(metadata[TOKENIZER])
    except Exception as error:  # the package raises plain ones
        raise EncoderError(f"the encoder's tokenizer cannot be read ({error}): export it again") from None
    tokenizer.enable_truncation(most)
    tokenizer.enable_padding()

    def feed(items: Packed) -> Feed:
        read = tokenizer.encode_batch(items.tolist())
        parts = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
        return {name: np.array([getattr(each, parts[name]) for each in read], np.int64) for name in inputs}

    return feed
