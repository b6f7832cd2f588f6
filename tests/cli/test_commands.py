"""The command, from training to an answer, and what it says when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowshot import load
from lowshot.data.word_vectors import WordVectors
from lowshot.data.wordnet import Entry
from lowshot.encoder import Encoder

Run = Callable[..., "object"]


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """A folder of class folders with three real digits each of 0, 1, 2, and queries beside it."""
    digits = load("digits")
    for name in "012":
        files = tmp_path / "drawings" / name
        files.mkdir(parents=True)
        for i, item in enumerate(digits.only(name).items[:3, ..., 0]):
            Image.fromarray(np.asarray(item)).save(files / f"{i}.png")
    for name in "0127":
        Image.fromarray(np.asarray(digits.only(name).items[7, ..., 0])).save(tmp_path / f"query{name}.png")
    return tmp_path / "drawings"


def test_settings_of_a_method_are_listed(lowshot: Run) -> None:
    listed = lowshot("methods", "triplet").out
    row = next(line for line in listed.splitlines() if line.split()[:1] == ["triplets"])
    assert "sum, swap, mean, semi-hard, batch-hard" in row and "a hinge for either image" in row
    assert "distortion.rotate=10" in listed and "learning rate" in listed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("methods tripled", "there are prototypical, "),
        ("bench accuracy --methods= --tracks vinyals", "no method ''"),
        ("bench accuracy --tracks=", "no track ''"),
        ("train digits --method lstm --out x.safetensors --steps 2 --set steps=3", "leave one out"),
        ("train digits --method triplet --out x.pt --steps 2", "x.onnx for an encoder, x.safetensors"),
        ("train digits?classes=0:0.1 --method siamese --out x.onnx --steps 2", "has one class, "),
        (
            "train digits --method triplet --out x.onnx --steps 2 --set distortion.wobble=1",
            "no setting distortion.wobble",
        ),
        ("evaluate gone.safetensors digits", "there is no such file"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    lowshot: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = lowshot(*arguments.split())
    assert done.status == 2 and says in done.err and done.err.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_help_lists_every_command(lowshot: Run) -> None:
    ran = lowshot("--help")
    assert ran.status == 0
    for command in (
        "demo",
        "train",
        "evaluate",
        "enroll",
        "identify",
        "gallery",
        "serve",
        "methods",
        "datasets",
        "encoders",
    ):
        assert command in ran.out


def test_listings(lowshot: Run) -> None:
    assert "Siamese Networks" in lowshot("methods").out and "prototypical" in lowshot("methods").out
    assert "omniglot:vinyals-test" in lowshot("datasets").out and "glyphs" in lowshot("datasets").out
    assert "characters" in lowshot("encoders").out and "photos" in lowshot("encoders").out


def test_enroll_identify_show_remove(lowshot: Run, fails: Callable[..., str], drawings: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "digits.gallery"
    ran = lowshot("enroll", gallery, drawings)
    assert ran.status == 0 and "enrolled 9 examples" in ran.out
    assert json.loads(lowshot("gallery", "list", gallery, "--json").out) == {"0": 3, "1": 3, "2": 3}

    queries = [tmp_path / f"query{name}.png" for name in "012"]
    answers = json.loads(lowshot("identify", gallery, *queries, "--json", "--top", 2).out)
    assert [answer["file"] for answer in answers] == list(map(str, queries))
    for answer, truth in zip(answers, "012", strict=True):
        more = {"known", "recognizer", "compared", "gate"}
        assert set(answer) == {"file", "label", "confidence", "unknown", "candidates", "examples"} | more
        assert answer["candidates"][0]["label"] == truth
        assert answer["unknown"] == (answer["label"] is None)
        assert len(answer["candidates"]) == 2 and 0 <= answer["confidence"] <= 1
        assert answer["examples"][0]["label"] == truth
    assert "query0.png" in lowshot("identify", gallery, queries[0]).out

    shown = json.loads(lowshot("gallery", "show", gallery, "--label", "1", "--json").out)
    assert shown["encoder"] == "characters" and len(shown["examples"]) == 3
    assert lowshot("gallery", "remove", gallery, "--id", shown["examples"][0]["id"]).status == 0
    assert "removed 3" in lowshot("gallery", "remove", gallery, "--label", "0").out
    assert json.loads(lowshot("gallery", "list", gallery, "--json").out) == {"1": 2, "2": 3}
    assert "0" in fails("gallery", "remove", gallery, "--label", "0")
    assert "--label" in fails("gallery", "remove", gallery)


def test_bad_pictures_enroll_nothing(fails: Callable[..., str], drawings: Path, tmp_path: Path) -> None:
    (drawings / "0" / "broken.png").write_bytes(b"no picture")
    (drawings / "2" / "empty.png").write_bytes(b"")
    message = fails("enroll", tmp_path / "new.gallery", drawings)
    assert "broken.png" in message and "empty.png" in message
    assert not list(tmp_path.glob("new.gallery*"))


def test_enrolling_a_named_set(lowshot: Run, tmp_path: Path) -> None:
    assert lowshot("enroll", tmp_path / "all.gallery", "digits?classes=0:0.2").status == 0
    assert len(json.loads(lowshot("gallery", "list", tmp_path / "all.gallery", "--json").out)) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate", "characters", "nowhere"], "nowhere"),
        (["evaluate", "nothing.onnx", "digits"], "nothing.onnx"),
        (["evaluate", "characters", "digits", "--ways", "11"], "11"),
        (["evaluate", "characters", "digits", "--shots", "500"], "shots + queries need 505"),
        (["evaluate", "characters", "digits", "--protocol", "lake"], "omniglot"),
        (["evaluate", "characters", "digits", "--protocol", "nine"], "nine"),
        (["evaluate", "characters", "digits?color=red"], "color"),
        (["evaluate", "characters", "omniglot:backgrund"], "backgrund"),
        (["evaluate", "characters", "digits", "--pairs", "5"], "--pairs"),
        (["evaluate", "characters", "omniglot", "--protocol", "lake", "--ways", "5"], "--ways"),
        (["evaluate", "characters", "digits", "--method", "dap"], "--method"),
        (["evaluate", "characters", "digits", "--protocol", "zero-shot"], "describes the classes"),
        (["evaluate", "characters", "digits", "--protocol", "zero-shot", "--method", "sae"], "semantic-codes"),
        (["evaluate", "words", "digits"], "nonces, chimeras"),
        (["evaluate", "words", "nonces", "--ways", "5"], "--ways"),
        (["evaluate", "words", "nonces", "--protocol", "open"], "--protocol"),
        (["evaluate", "words", "nonces", "--method", "dap"], "additive"),
        (["evaluate", "words", "nonces", "--vectors", "word2vec"], "glove, text"),
        (["evaluate", "words", "nonces", "--method", "whole-sentence"], "--vectors text"),
        (["evaluate", "words", "nonces", "--method", "together", "--vectors", "text"], "leave --vectors out"),
        (["evaluate", "characters", "digits", "--vectors", "text"], "--vectors"),
        (["evaluate", "characters", "digits", "--protocol", "sequence", "--shots", "5"], "--shots"),
        (["evaluate", "characters", "digits", "--protocol", "semi", "--sequences", "5"], "--sequences"),
        (["evaluate", "characters", "digits", "--protocol", "semi", "--apart", "speaker"], "--apart"),
        (["evaluate", "characters", "digits", "--apart", "speaker"], "no attribute 'speaker'"),
        (["evaluate", "characters", "digits", "--shots", "0"], "0 goes with --named"),
        (["evaluate", "characters", "digits", "--named"], "names are words, and characters is no encoder of texts"),
        (["gallery", "describe", "no.gallery", "x", "--attribute", "a=b", "--encoder", "photos"], "--background"),
        (["gallery", "describe", "no.gallery", "x", "--attribute", "a=b", "--attribute", "a=c"], "one value of each"),
        (["demo", "--out", "none/x.html"], "none"),
        (["identify", "none.gallery", "x.png"], "none.gallery"),
        (["train", "digits", "--method", "protonet", "--out", "x.onnx"], "prototypical"),
        (["train", "digits", "--method", "siamese", "--out", "none/x.onnx"], "none"),
        (["train", "digits", "--method", "siamese", "--out", "x.onnx", "--seed", "-1"], "seed"),
        (["train", "digits", "--method", "prototypical", "--out", "x.onnx", "--set", "wais=3"], "wais"),
        (["train", "digits", "--method", "prototypical", "--out", "x.onnx", "--set", "ways=1"], "ways"),
        (
            ["train", "digits", "--method", "prototypical", "--out", "x.onnx", "--minutes", "1", "--steps", "1"],
            "not both",
        ),
        (["train", "digits", "--out", "x.onnx"], "--method"),
        (["unknown-command"], "unknown-command"),
    ],
)
def test_what_the_user_got_wrong(
    arguments: list[str], says: str, fails: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in fails(*arguments)
    assert not list(tmp_path.iterdir()), "nothing may be left behind"


def test_evaluate_as_json(lowshot: Run) -> None:
    ran = lowshot("evaluate", "characters", "digits", "--ways", 5, "--episodes", 200, "--json")
    found = json.loads(ran.out)
    assert {"accuracy", "ci95", "episodes", "ways", "shots", "queries", "seed", "auroc", "fpr95", "seconds"} <= set(
        found
    )
    assert (found["ways"], found["shots"], found["queries"], found["episodes"], found["seed"]) == (5, 1, 5, 200, 0)
    assert found["accuracy"] > 0.7 and 0 < found["ci95"] < 0.05
    assert (
        json.loads(lowshot("evaluate", "characters", "digits", "--ways", 5, "--episodes", 200, "--json").out)[
            "accuracy"
        ]
        == found["accuracy"]
    )
    verified = json.loads(lowshot("evaluate", "characters", "digits", "--protocol", "verify", "--json").out)
    assert 0 <= verified["eer"] < 0.35


def test_sequences_and_unlabeled_items_as_json(lowshot: Run) -> None:
    few = ["characters", "digits", "--json", "--ways", 4]
    shown = json.loads(lowshot("evaluate", *few, "--protocol", "sequence", "--presentations", 6, "--sequences", 40).out)
    assert len(shown["accuracy"]) == len(shown["ci95"]) == 6
    assert shown["accuracy"][0] < 0.25 < 0.75 < shown["accuracy"][5], "the first presentation can only be guessed"
    semi = json.loads(lowshot("evaluate", *few, "--protocol", "semi", "--unlabeled", 20, "--episodes", 60).out)
    assert semi["gain"] == pytest.approx(semi["accuracy"] - semi["labels_only"]) and semi["gain"] > 0
    masked = json.loads(lowshot("evaluate", *few, "--protocol", "semi", "--distractors", 2, "--episodes", 20).out)
    assert masked["distractors"] == 2


@pytest.mark.parametrize("method", ["mann", "relation"])
def test_methods_without_features_are_measured_by_the_same_command(
    method: str, lowshot: Run, fails: Callable[..., str], tmp_path: Path
) -> None:
    out = tmp_path / "mine.safetensors"
    few = ["--steps", 2, "--set", "filters=8", "--set", "ways=3"]
    assert lowshot("train", "digits", "--method", method, "--out", out, "--val", "none", *few).status == 0
    found = json.loads(lowshot("evaluate", out, "digits", "--ways", 3, "--episodes", 4, "--json").out)
    assert 0 < found["accuracy"] < 1
    for protocol in ("verify", "semi"):
        assert "gives no features" in fails("evaluate", out, "digits", "--protocol", protocol)
    sequence = ["evaluate", out, "digits", "--protocol", "sequence", "--ways", 3]
    if method == "mann":
        assert len(json.loads(lowshot(*sequence, "--sequences", 4, "--json").out)["accuracy"]) == 10
    else:
        assert "whole episodes" in fails(*sequence)


def test_lake_as_json(lowshot: Run, data_folder: Path) -> None:
    found = json.loads(lowshot("evaluate", "characters", "omniglot", "--protocol", "lake", "--json").out)
    assert found["trials"] == 400 and found["error"] <= 0.05


def test_train_resume_and_use(lowshot: Run, tmp_path: Path) -> None:
    out = tmp_path / "mine.onnx"
    small = ["--steps", 5, "--set", "filters=8", "--set", "ways=4", "--set", "queries=2", "--set", "val_episodes=5"]
    ran = lowshot("train", "digits", "--method", "prototypical", "--out", out, "--val", "none", "--seed", 3, *small)
    assert ran.status == 0 and "5 steps" in ran.err and ran.out == ""
    encoder = Encoder.load(out)
    assert encoder.card.config["method"]["filters"] == 8 and encoder.card.config["recipe"]["seed"] == 3
    assert encoder.card.command.startswith("lowshot train digits")
    assert encoder.background() is not None
    assert lowshot("evaluate", out, "digits", "--ways", 5, "--episodes", 10, "--json").status == 0


def test_a_gallery_of_another_encoder_is_refused(
    lowshot: Run, fails: Callable[..., str], drawings: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.onnx"
    small = ["--steps", 2, "--set", "filters=8", "--set", "ways=4", "--set", "queries=2"]
    assert lowshot("train", "digits", "--method", "prototypical", "--out", other, "--val", "none", *small).status == 0
    assert lowshot("enroll", tmp_path / "a.gallery", drawings).status == 0
    message = fails("enroll", tmp_path / "a.gallery", drawings, "--encoder", other)
    assert "characters" in message and "other" in message


_FRESH = """
import sys
import lowshot
assert "torch" not in sys.modules and "onnxruntime" not in sys.modules, "import lowshot must stay light"
from lowshot import Encoder, Gallery, load
Encoder.load("characters").embed(load("digits", Encoder.load("characters").card.form).items[:3])
assert "torch" not in sys.modules
sys.argv = ["lowshot", "--help"]
from lowshot.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
assert "torch" not in sys.modules
"""


def test_torch_stays_out() -> None:
    done = subprocess.run([sys.executable, "-c", _FRESH], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_demo_with_nothing_but_the_package(lowshot: Run, no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(no_data)
    ran = lowshot("demo")
    assert ran.status == 0, ran.err
    assert "never enrolled, called unknown" in ran.out
    page = (no_data / "lowshot-demo.html").read_text()
    assert page.count('class="answer ') == 50 and "http" not in page.replace("http-equiv", "")


def test_demo_on_characters(lowshot: Run, data_folder: Path, tmp_path: Path) -> None:
    ran = lowshot("demo", "--data", "omniglot", "--out", tmp_path / "report.html")
    assert ran.status == 0, ran.err
    assert (tmp_path / "report.html").read_text().count('class="answer ') == 200


def test_words_and_zero_shot_are_evaluated(lowshot: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made words in a made vocabulary: what is asked for reaches the protocol."""
    known = WordVectors(("pet", "cat", "dog", "car", "van"), np.random.default_rng(0).normal(size=(5, 8)))
    monkeypatch.setattr("lowshot.data.word_vectors.VECTORS", {"glove": lambda: known})
    monkeypatch.setenv("LOWSHOT_DATA", str(tmp_path))
    (tmp_path / "nonce2vec").mkdir()
    (tmp_path / "nonce2vec" / "nonce.definitions.299.test").write_text("cat\ta ___ is a pet dog\n", encoding="utf-8")
    found = json.loads(lowshot("evaluate", "words", "nonces", "--method", "nonce2vec", "--json").out)
    assert found["words"] == 1 and found["vocabulary"] == 5 and 0 < found["mrr"] <= 1


@pytest.mark.parametrize("way", [["whole-sentence", "--vectors", "text"], ["together"]], ids=lambda way: way[0])
def test_words_are_read_whole_by_an_encoder_of_texts(
    way: list[str],
    lowshot: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_text_model: Callable[..., bytes],
) -> None:
    words = ("pet", "cat", "dog", "car", "van")
    known = WordVectors(words, np.random.default_rng(0).normal(size=(5, 8)))
    monkeypatch.setattr("lowshot.data.word_vectors.VECTORS", {"glove": lambda: known})
    monkeypatch.setenv("LOWSHOT_DATA", str(tmp_path))
    monkeypatch.setenv("LOWSHOT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "encoders").mkdir(parents=True)
    (tmp_path / "cache" / "encoders" / "text.onnx").write_bytes(tiny_text_model(" ".join((*words, "is", "a"))))
    (tmp_path / "nonce2vec").mkdir()
    (tmp_path / "nonce2vec" / "nonce.definitions.299.test").write_text("cat\t___ is a cat like pet\n", encoding="utf-8")
    monkeypatch.setattr(
        "lowshot.data.wordnet.entries", lambda: [Entry((word,), "a thing", (), "noun") for word in words]
    )
    asked = ("evaluate", "words", "nonces", "--json", "--method", *way)
    found = json.loads(lowshot(*asked).out)
    assert found["words"] == 1 and found["vocabulary"] == 5 and 0 < found["mrr"] <= 1
    assert len(list((tmp_path / "cache" / "texts").glob("*.npy"))) == 1
    assert json.loads(lowshot(*asked).out)["mrr"] == found["mrr"]


def test_zero_shot_by_the_columns_of_a_table(lowshot: Run, tmp_path: Path) -> None:
    digits = load("digits")
    rows = ["path,label,loop,line,tail,open"]
    for name in digits.classes:
        for i, item in enumerate(digits.only(name).items[:4, ..., 0]):
            Image.fromarray(np.asarray(item)).save(tmp_path / f"{name}{i}.png")
            bits = ",".join(f"{int(name) >> bit & 1}" for bit in range(4))
            rows.append(f"{name}{i}.png,{name},{bits}")
    (tmp_path / "digits.csv").write_text("\n".join(rows), encoding="utf-8")
    asked = ("evaluate", "characters", tmp_path / "digits.csv", "--json", "--method", "eszsl", "--protocol")
    found = json.loads(lowshot(*asked, "zero-shot", "--unseen", "3", "--splits", "2").out)
    assert found["unseen"] == 3 and found["splits"] == 2 and 0 <= found["accuracy"] <= 1
    found = json.loads(lowshot(*asked, "leave-two-out", "--pairs", "6").out)
    assert found["pairs"] == 6 and found["classes"] == 10
