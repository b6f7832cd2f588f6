"""A trained encoder file: items in, features out. ONNX Runtime only; loading runs no code of the file's author."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from lowshot.data.forms import Item, Packed, blank, check_packed, read_items
from lowshot.encoder import onnx_file
from lowshot.encoder.card import Card
from lowshot.encoder.inputs import TOKENIZER, batches, feeder
from lowshot.encoder.views import Views, views
from lowshot.errors import EncoderError, ShapeError

Features = NDArray[np.float32]

_CARD, _BACKGROUND = "lowshot.card", "lowshot.background"
_ENROLLED = 64  # items whose views are in memory at once


class Encoder:
    """Turns items into features that :mod:`lowshot.recognize` and :class:`lowshot.gallery.Gallery` compare.

    Build one with :meth:`load` (a name or a file) or from the bytes of an ONNX model with a card.

    Attributes:
        card: what the model expects and where it comes from, see :class:`Card`.
        fingerprint: SHA-256 of the graph, its weights, and how its input is scaled or cut into pieces of words: equal
            fingerprints, equal features.

    Example:
        >>> import numpy as np
        >>> from lowshot import Encoder
        >>> encoder = Encoder.load("characters")
        >>> paper = np.full((2, *encoder.card.form.shape), 255, np.uint8)
        >>> encoder.embed(paper).shape == (2, encoder.card.features)
        True
    """

    def __init__(self, model: bytes) -> None:
        graph, metadata = onnx_file.split(model)
        if _CARD not in metadata:
            raise EncoderError(
                "the ONNX model has no card: write one into it with lowshot.encoder.add_card(model, card)"
            )
        try:
            self.card = Card.model_validate_json(metadata[_CARD])
        except ValidationError as error:
            raise EncoderError(
                f"the encoder's card cannot be read: {error.errors()[0]['msg']}; export it again"
            ) from None
        self._background = metadata.get(_BACKGROUND)
        scaling = self.card.model_dump_json(include={"form", "mean", "std", "distance", "negative"})
        pieces = [metadata[TOKENIZER].encode()] if TOKENIZER in metadata else []
        self.fingerprint = onnx_file.digest(graph, scaling.encode(), *pieces)
        self._session = _session(graph)
        self._feed = feeder(self.card, [each.name for each in self._session.get_inputs()], metadata)
        self._check_output()

    def __repr__(self) -> str:
        size = "×".join(map(str, self.card.form.shape)) or self.card.modality
        return f"Encoder({self.card.name!r}, {size} → {self.card.features})"

    @classmethod
    def load(cls, name_or_file: str | Path) -> Encoder:
        """Load a named encoder (see ``lowshot encoders``) or an encoder file.

        Raises EncoderError where there is no such name or file, or the file is no encoder.
        """
        from lowshot.encoder.named import find

        path = find(name_or_file)
        if path.suffix == ".safetensors":
            raise EncoderError(f"{path} keeps a method as it is, for `lowshot evaluate`: name an .onnx file")
        try:
            return cls(path.read_bytes())
        except OSError as error:
            raise EncoderError(f"{path}: {error.strerror}") from None
        except EncoderError as error:
            raise EncoderError(f"{path}: {error}") from None

    def read(self, items: Sequence[Item], names: Sequence[str] | None = None) -> Packed:
        """Items as they come (files, their bytes, arrays of any size, texts), packed in the card's form.

        Raises BadFiles, which lists every item that cannot be read, under its name where ``names`` gives one.
        """
        return read_items(items, self.card.form, names)

    def embed(self, items: Packed) -> Features:
        """Features (n, features) of packed items.

        They are ``uint8`` (n, height, width, channels), ``int16`` (n, samples) or strings (n,), as :meth:`read` gives them.
        Raises ShapeError where the items are not of the card's form.
        """
        check_packed(items, self.card.form, f"encoder {self.card.name!r}")
        features = np.empty((len(items), self.card.features), np.float32)
        for some in batches(items, self.card):
            features[some] = self._run(items[some])
        return features

    def embed_support(self, items: Packed, kind: Views | None = None) -> Features:
        """Features (n, features) of packed items that will be compared with: each the mean over the item and its views.

        One example says little of its class; seen a little otherwise it says more. Enrolling takes as many times longer,
        queries cost nothing: embed them with :meth:`embed`.

        Args:
            items: as in :meth:`embed`.
            kind: which views, see :func:`~lowshot.encoder.views.views`; None for those that the card recommends.

        Returns:
            The means, at unit length where the card's distance is the cosine.

        Raises:
            ShapeError: the items are not of the card's form.
            ConfigError: there are no such views.
        """
        kind = self.card.views if kind is None else kind
        if kind == "none" or not len(items):
            return self.embed(items)
        features = np.empty((len(items), self.card.features), np.float32)
        for start in range(0, len(items), _ENROLLED):
            some = views(items[start : start + _ENROLLED], kind)
            each = self.embed(some.reshape(-1, *some.shape[2:])).reshape(*some.shape[:2], -1)
            features[start : start + _ENROLLED] = each.mean(axis=1)
        if self.card.distance == "cosine":
            features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return features

    def background(self) -> tuple[Features, NDArray[np.int64]] | None:
        """Features (n, features) and classes (n,) of some background items the card carries; None where it has none.

        They stand for what is *not* enrolled: impostors, from which a gallery learns when to say "unknown".
        """
        if self._background is None:
            return None
        try:
            with np.load(io.BytesIO(base64.b64decode(self._background)), allow_pickle=False) as kept:
                features, labels = kept["features"].astype(np.float32), kept["labels"].astype(np.int64)
        except Exception as error:  # base64, zip and NumPy each have their own
            raise EncoderError(f"the background features cannot be read ({error}): export the encoder again") from None
        _check_background(features, labels, self.card)
        return features, labels

    def _run(self, items: Packed) -> Features:
        features: Features = self._session.run(None, self._feed(items))[0]
        return features

    def _check_output(self) -> None:
        """One blank item through the model: a card that does not fit is refused when loaded, not in production."""
        try:
            shape = self._run(blank(self.card.form)).shape
        except Exception as error:
            raise EncoderError(f"the model does not take what its card says: {str(error).splitlines()[0]}") from None
        if shape != (1, self.card.features):
            raise EncoderError(
                f"the card says {self.card.features} features, the model gives {shape[1:]}: correct the card"
            )


def _session(graph: bytes) -> Any:
    """The graph, ready to run."""
    # Newer releases report their use to Microsoft, and keep an id of the machine in the cache folder, unless this is set
    # before they are imported. Only what runs a model waits for the import.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Threads that wait for work by spinning hold the cores that decoding, searching and answering need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        raise EncoderError(f"ONNX Runtime cannot run this model: {str(error).splitlines()[0]}") from None


def add_card(
    model: bytes,
    card: Card,
    background: tuple[Features, NDArray[np.int64]] | None = None,
    tokenizer: str | None = None,
) -> bytes:
    """Give an ONNX model a card (and some background features): it is an encoder from then on.

    Args:
        model: the bytes of an ONNX file. A card it already has is replaced.
        card: see :class:`Card`.
        background: features (n, features) and classes (n,) of background items, at best a few hundred; kept as float16.
        tokenizer: of a model of texts, the JSON that the package tokenizers reads.

    Returns:
        The bytes to write to a file.

    Raises:
        EncoderError: the bytes are no ONNX model.
        ShapeError: the background does not fit the card.
    """
    graph, metadata = onnx_file.split(model)
    metadata[_CARD] = card.model_dump_json()
    if tokenizer is not None:
        metadata[TOKENIZER] = tokenizer
    if background is not None:
        with np.errstate(over="ignore"):  # what float16 cannot hold is refused below
            features, labels = background[0].astype(np.float16), background[1].astype(np.int32)
        _check_background(features, labels, card)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, features=features, labels=labels)
        metadata[_BACKGROUND] = base64.b64encode(buffer.getvalue()).decode()
    return onnx_file.join(graph, metadata)


def recommend_views(model: bytes, kind: Views) -> bytes:
    """An encoder's file, which from then on recommends these views of enrolled examples; its features stay what they are."""
    encoder = Encoder(model)
    return add_card(model, encoder.card.model_copy(update={"views": kind}), encoder.background())


def _check_background(features: NDArray[np.floating], labels: NDArray[np.integer], card: Card) -> None:
    if features.shape != (len(labels), card.features) or labels.ndim != 1 or not np.isfinite(features).all():
        raise ShapeError(
            f"background features {features.shape} and labels {labels.shape} must be finite, "
            f"(n, {card.features}) and (n,)"
        )
