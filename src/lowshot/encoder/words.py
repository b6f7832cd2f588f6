"""Words as an encoder of texts sees them. A vocabulary takes minutes, and is kept in the cache.

Shape suffixes: n texts, D features.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lowshot.data.locate import alone, cache_folder
from lowshot.data.word_vectors import WordVectors, load_vectors
from lowshot.encoder.encoder import Encoder, Features
from lowshot.errors import ConfigError, EncoderError

VECTORS = ("glove", "text")
Read = Callable[[Sequence[str]], Features]  # texts to features (n, D)
Report = Callable[[int, int], None]  # is told how many texts are done, and of how many

_CHUNK = 2048  # texts between two writes: what an interruption costs at most


def embed_kept(encoder: Encoder, texts: Sequence[str], report: Report | None = None) -> NDArray[np.float16]:
    """Features of texts, ``float16`` (n, D), from the cache where they are there.

    The file is named after the encoder's fingerprint and the texts, so others never get it. It is written piece by piece
    and takes its name when it is complete: after an interruption the next call goes on where this one stopped, and two
    processes that start together compute it once.

    Args:
        encoder: one of texts.
        texts: in any number.
        report: is told how many are done, and of how many; not where all are there already.

    Returns:
        The features, memory-mapped. Half precision moves the cosine of two unit features by less than 0.001.

    Raises:
        BadFiles: a text cannot be read.
        EncoderError: the cache cannot be written.
    """
    path = cache_folder() / "texts" / f"{_digest(encoder, texts)}.npy"
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            with alone(partial):
                if not path.is_file():  # another process may have made it while this one waited
                    _complete(encoder, texts, partial, report or (lambda done, total: None))
                    partial.replace(path)
        kept: NDArray[np.float16] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise EncoderError(
            f"features cannot be kept in {path.parent} ({error.strerror or error}): set LOWSHOT_CACHE to a folder that can "
            "be written"
        ) from None
    return kept


def vectors_named(name: str, report: Report | None = None) -> tuple[WordVectors, Read | None]:
    """GloVe's words, with GloVe's vectors or what the encoder ``text`` says of each word alone.

    Args:
        name: one of :data:`VECTORS`.
        report: see :func:`embed_kept`.

    Returns:
        The words, and what reads other texts into features like theirs; None where nothing does.

    Raises:
        ConfigError: there are no such vectors.
        DataNotFound, EncoderError: what they need is not installed.
    """
    if name not in VECTORS:
        raise ConfigError(f"no word vectors {name!r}: choose one of {', '.join(VECTORS)}")
    if name == "glove":
        return load_vectors(), None
    encoder, words = Encoder.load(name), load_vectors().words
    vectors = WordVectors(words, embed_kept(encoder, words, report).astype(np.float32))
    return vectors, lambda texts: encoder.embed(encoder.read(texts))


def _digest(encoder: Encoder, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(encoder.fingerprint.encode())
    for text in texts:
        digest.update(f"\n{len(text)} {text}".encode())  # with its length, so that no two lists read the same
    return digest.hexdigest()


def _complete(encoder: Encoder, texts: Sequence[str], partial: Path, report: Report) -> None:
    """Write what is missing in a file of the format .npy."""
    with partial.open("r+b") as file:
        done = _resume(file, len(texts), encoder.card.features)
        for start in range(done, len(texts), _CHUNK):
            report(start, len(texts))
            features_nD = encoder.embed(encoder.read(texts[start : start + _CHUNK]))
            file.write(features_nD.astype(np.float16).tobytes())
            file.flush()
        report(len(texts), len(texts))
        os.fsync(file.fileno())


def _resume(file: BinaryIO, number: int, features: int) -> int:
    """How many texts' features are in the file, which is left open for the next ones."""
    header = {"descr": "<f2", "fortran_order": False, "shape": (number, features)}
    written = file.seek(0, os.SEEK_END)
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, header)
    start = file.tell()
    done = max(0, written - start) // (2 * features)
    file.seek(start + done * 2 * features)
    file.truncate()
    return done
