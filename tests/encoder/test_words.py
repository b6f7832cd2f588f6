"""A vocabulary read by an encoder of texts: computed once, and in as many sittings as it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lowshot import Encoder
from lowshot.data.word_vectors import WordVectors
from lowshot.encoder import words
from lowshot.encoder.words import embed_kept, vectors_named
from lowshot.errors import ConfigError, EncoderError

TEXTS = [f"{one} {other}" for one in "abcde" for other in "abcde"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOWSHOT_CACHE", str(tmp_path))
    monkeypatch.setattr(words, "_CHUNK", 4)
    return tmp_path / "texts"


@pytest.fixture
def encoder(tiny_text_model: Callable[..., bytes]) -> Encoder:
    return Encoder(tiny_text_model("a b c d e"))


def test_features_are_the_encoders_and_computed_once(
    cache: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    kept = embed_kept(encoder, TEXTS, lambda *done: told.append(done))
    expected = encoder.embed(encoder.read(TEXTS))
    np.testing.assert_array_equal(kept, expected.astype(np.float16))
    np.testing.assert_allclose(kept.astype(np.float32) @ expected.T, expected @ expected.T, atol=1e-3)
    assert told[0] == (0, 25) and told[-1] == (25, 25)
    monkeypatch.setattr(encoder, "embed", None)
    np.testing.assert_array_equal(embed_kept(encoder, TEXTS), kept)
    assert len(list(cache.iterdir())) == 1


def test_other_texts_and_encoders_have_files_of_their_own(
    cache: Path, encoder: Encoder, tiny_text_model: Callable[..., bytes]
) -> None:
    lists = ["a", "b"], ["b", "a"], ["a b"], ["a", "b", "c"], ["a\n1 b"]
    for texts in lists:
        embed_kept(encoder, texts)
    embed_kept(Encoder(tiny_text_model("a b c d e", seed=1)), ["a", "b"])
    assert len(list(cache.iterdir())) == 6


@pytest.mark.parametrize("torn", [0, 5])
def test_an_interrupted_run_goes_on_where_it_stopped(cache: Path, encoder: Encoder, torn: int) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_kept(encoder, TEXTS, interrupt)
    [partial] = cache.iterdir()
    with partial.open("r+b") as file:  # a crash may leave half a vector
        file.truncate(partial.stat().st_size - torn)
    told: list[int] = []
    kept = embed_kept(encoder, TEXTS, lambda done, total: told.append(done))
    assert told[0] == (11 if torn else 12)
    np.testing.assert_array_equal(kept, encoder.embed(encoder.read(TEXTS)).astype(np.float16))
    assert [path.suffix for path in cache.iterdir()] == [".npy"]


def test_a_cache_that_cannot_be_written_is_said(cache: Path, encoder: Encoder) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(EncoderError, match="LOWSHOT_CACHE"):
        embed_kept(encoder, TEXTS)


def test_vectors_by_name(cache: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    known = WordVectors(("c", "a"), np.eye(2))
    monkeypatch.setattr("lowshot.data.word_vectors.VECTORS", {"glove": lambda: known})
    monkeypatch.setattr(Encoder, "load", lambda name: encoder)
    assert vectors_named("glove") == (known, None)
    vectors, read = vectors_named("text")
    assert vectors.words == known.words and read is not None
    np.testing.assert_allclose(vectors.vectors, read(["c", "a"]), atol=1e-3)
    with pytest.raises(ConfigError, match="glove, text"):
        vectors_named("word2vec")
