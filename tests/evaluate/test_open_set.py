"""Galleries asked what they know and what they do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lowshot import load
from lowshot.data import EpisodeSampler, Examples
from lowshot.encoder import Encoder
from lowshot.errors import ClassTooSmall, ConfigError, EncoderError, ShapeError
from lowshot.evaluate import OpenSetResult, asked_set, open_set, open_set_of, write_diagram
from lowshot.gallery import Gallery
from lowshot.recognize import NearestNeighbors, NearestPrototype
from lowshot.recognize.unknown import calibrate

LABELS = np.repeat(np.arange(60), 12)


def clusters(spread: float = 0.35, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(60, 8))[LABELS] + spread * rng.normal(size=(len(LABELS), 8))).astype(np.float32)


def run(features: np.ndarray, **settings: Any) -> OpenSetResult:
    setting = {"distance": "euclidean", "compare": "prototype", "background": (clusters(seed=9), LABELS)} | settings
    return open_set(features, LABELS, **setting)


@pytest.mark.parametrize("compare", ["prototype", "neighbor"])
def test_the_figures_are_those_of_answers_given_one_by_one(compare: Any) -> None:
    features, background = clusters(0.6), (clusters(seed=9), LABELS)
    result = run(features, compare=compare, ways=10, shots=2, queries=3, galleries=4, seed=5)
    drawn = EpisodeSampler(LABELS).draw(4, 10, 2, 3, unknown_ways=10, seed=5)
    kind = {"prototype": NearestPrototype, "neighbor": NearestNeighbors}[compare]
    closed, right, sure = [], [], []
    for support, query, unknown in zip(drawn.support, drawn.query, drawn.unknown, strict=True):
        X, y = features[support.ravel()], LABELS[support.ravel()]
        recognizer = kind().fit(X, y)
        learned = calibrate(kind(), X, y, background)
        for item in [*query.ravel(), *unknown.ravel()]:
            [scores] = learned.probabilities(recognizer.distances(features[item : item + 1]))
            [known] = learned.known(recognizer.distances(features[item : item + 1]))
            label = recognizer.classes_[scores.argmax()] if known >= 0.5 else None
            truth = LABELS[item] if LABELS[item] in y else None
            right.append(label == truth)
            sure.append(1 - known if label is None else scores.max())
            if truth is not None:
                closed.append(recognizer.predict(features[item : item + 1]).item() == truth)
    assert result.accuracy == pytest.approx(np.mean(closed))
    assert result.open_accuracy == pytest.approx(np.mean(right))
    bins = np.ceil(np.array(sure) * 15)
    gaps = [abs(np.sum(np.array(right)[bins == b]) - np.sum(np.array(sure)[bins == b])) for b in np.unique(bins)]
    assert result.ece == pytest.approx(sum(gaps) / len(right), abs=1e-5)
    assert (result.queries, result.unknown_classes) == (30, 10)


def test_known_queries_come_from_other_groups() -> None:
    groups = np.tile(np.repeat([*"abc"], 4), 60)
    voice = np.eye(180)[LABELS * 3 + np.tile(np.repeat(range(3), 4), 60)]
    asked: dict[str, Any] = {"ways": 5, "shots": 1, "queries": 3, "galleries": 30, "background": None}
    assert run(voice, **asked).accuracy > 0.4
    assert run(voice, **asked, apart=groups).accuracy == pytest.approx(0.2, abs=0.02)


def test_the_nearest_distance_ranks_the_queries() -> None:
    """P(known) never rises with it, so AUROC is that of the field's distance to the nearest class."""
    features = clusters(0.6)
    result = run(features, ways=10, queries=3, galleries=1, seed=2)
    drawn = EpisodeSampler(LABELS).draw(1, 10, 1, 3, unknown_ways=10, seed=2)
    support = drawn.support.ravel()
    far = NearestPrototype().fit(features[support], LABELS[support]).distances
    known, unknown = (far(features[asked.ravel()]).min(axis=1) for asked in (drawn.query, drawn.unknown))
    wins = (known[:, None] < unknown[None]) + 0.5 * (known[:, None] == unknown[None])
    assert result.auroc == pytest.approx(wins.mean(), abs=2e-3)  # far away, float32 tells no two apart
    assert result.auroc_ci95 is None  # of one gallery


class TestAskedSet:
    """Queries of a set of their own."""

    def ask(self, **settings: Any) -> OpenSetResult:
        """40 classes enrolled from some items; others of these and of the 20 other classes are queries."""
        support, known = (LABELS < 40) & (np.arange(len(LABELS)) % 12 < 6), LABELS < 40
        truth = np.where(known, LABELS, -1)[~support]
        setting = {"distance": "euclidean", "compare": "prototype", "background": (clusters(seed=9), LABELS)} | settings
        features = clusters(0.6)
        return asked_set(features[support], LABELS[support], features[~support], truth, **setting)

    @pytest.mark.parametrize("shots", [1, 3])
    def test_the_figures_are_those_of_answers_given_one_by_one(self, shots: int) -> None:
        result = self.ask(shots=shots, galleries=2, seed=3, unknown_classes=20)
        features, support = clusters(0.6), (LABELS < 40) & (np.arange(len(LABELS)) % 12 < 6)
        enrolled, labels = features[support], LABELS[support]
        closed, right, known = [], [], []
        for drawn in EpisodeSampler(labels).draw(2, 40, shots, 0, seed=3).support:
            X, y = enrolled[drawn.ravel()], np.repeat(np.arange(40), shots)
            far = NearestPrototype().fit(X, y).distances(features[~support])
            sure = calibrate(NearestPrototype(), X, y, (clusters(seed=9), LABELS)).known(far)
            nearest, truth = labels[drawn[:, 0]][far.argmin(axis=1)], LABELS[~support]
            closed.append((nearest == truth)[truth < 40])
            right.append(np.where(sure >= 0.5, nearest == truth, truth >= 40))
            known.append(roc_auc_score(truth < 40, sure))
        assert result.accuracy == pytest.approx(np.mean(closed))
        assert result.open_accuracy == pytest.approx(np.mean(right), abs=2e-3)
        assert result.auroc == pytest.approx(np.mean(known), abs=2e-3)
        assert (result.ways, result.queries, result.unknown_queries, result.unknown_classes) == (40, 240, 240, 20)

    def test_the_order_of_the_queries_makes_no_difference(self) -> None:
        labels, rng = np.repeat(np.arange(4), 3), np.random.default_rng(0)
        support, queries, truth = rng.normal(size=(12, 3)), rng.normal(size=(30, 3)), rng.integers(-1, 4, 30)
        order = rng.permutation(30)
        one, other = (
            asked_set(
                support, labels, queries[rows], truth[rows], distance="euclidean", compare="prototype", galleries=3
            )
            for rows in (np.arange(30), order)
        )
        assert (one.accuracy, one.open_accuracy, one.auroc) == (other.accuracy, other.open_accuracy, other.auroc)

    def test_another_recognizer(self) -> None:
        by_neighbors = self.ask(recognizer=NearestNeighbors(1), shots=3, galleries=2)
        assert by_neighbors.accuracy == self.ask(compare="neighbor", shots=3, galleries=2).accuracy
        assert by_neighbors.accuracy != self.ask(shots=3, galleries=2).accuracy

    def test_what_cannot_be_asked(self) -> None:
        X, y, settings = np.eye(4), np.array([0, 0, 1, 1]), {"distance": "euclidean", "compare": "prototype"}
        for truth, error, says in (
            ([0, 1], ConfigError, "of another class than those enrolled"),
            ([-1, -1], ConfigError, "no query is of an enrolled class"),
            ([0, 2], ShapeError, r"-1\.\.1"),
            ([0], ShapeError, "2, 4"),
        ):
            with pytest.raises(error, match=says):
                asked_set(X, y, X[:2], np.array(truth), **settings)
        with pytest.raises(ShapeError, match="features of one encoder"):
            asked_set(X, y, X[:2, :3], np.array([0, -1]), **settings)
        for wrong in ({"galleries": 0}, {"learned": 3}):
            with pytest.raises(ConfigError):
                asked_set(X, y, X[:2], np.array([0, -1]), **settings, **wrong)
        with pytest.raises(ClassTooSmall):
            asked_set(X, y, X[:2], np.array([0, -1]), shots=3, **settings)

    def test_an_encoder_matches_the_classes_by_name(self, pixels: Encoder, drawings: Examples) -> None:
        half = np.arange(len(drawings)) % 6 < 3
        support = drawings.take(half & (drawings.labels >= 4))
        report = open_set_of(pixels, support, queries=drawings.take(~half), shots=(1, 2), galleries=3)
        first, _ = report.by_shots
        assert (first.ways, first.queries, first.unknown_queries, first.unknown_classes) == (8, 24, 12, 4)
        assert first.accuracy > 0.7 and report.embed_seconds > 0
        with pytest.raises(ConfigError, match="leave the ways out"):
            open_set_of(pixels, support, queries=drawings, ways=3)


def test_where_few_classes_are_left_each_is_asked_more_often() -> None:
    result = run(clusters(), ways=55, queries=1, galleries=2)
    assert (result.unknown_classes, result.queries) == (5, 55)
    assert result.reliability.counts.sum() == 2 * 2 * 55


def test_confidence_learned_of_a_few_classes_holds_for_many() -> None:
    grown = run(clusters(), ways=40, learned=10, galleries=10)
    assert (grown.learned, grown.ways) == (10, 40)
    assert grown.ece < 0.07
    assert grown.ece != run(clusters(), ways=40, galleries=10).ece
    assert grown.accuracy == run(clusters(), ways=40, galleries=10).accuracy


def test_a_seed_gives_the_same_figures_and_another_seed_others() -> None:
    one, same, other = (run(clusters(), seed=seed).ece for seed in (4, 4, 5))
    assert one == same != other


def test_bad_input_is_refused() -> None:
    for settings, error, says in (
        ({"ways": 60}, ConfigError, "some must be unknown"),
        ({"queries": 12}, ClassTooSmall, "12 examples"),
        ({"queries": 0}, ConfigError, "queries"),
        ({"learned": 21}, ConfigError, "1..20"),
        ({"compare": "median"}, ConfigError, "prototype or neighbor"),
    ):
        with pytest.raises(error, match=says):
            run(clusters(), **settings)
    with pytest.raises(ShapeError, match="720 labels"):
        run(clusters()[:5])
    with pytest.raises(EncoderError, match="item 3"):
        run(np.where(np.arange(len(LABELS))[:, None] == 3, np.nan, clusters()))


def test_an_encoder_by_number_of_shots(pixels: Encoder, drawings: Examples, tmp_path: Path) -> None:
    report = open_set_of(pixels, drawings, ways=5, shots=(1, 3), queries=2, galleries=6)
    for result, shots in zip(report.by_shots, (1, 3), strict=True):
        expected = open_set(
            pixels.embed(drawings.items),
            drawings.labels,
            **{
                "distance": "euclidean",
                "compare": "prototype",
                "ways": 5,
                "shots": shots,
                "queries": 2,
                "galleries": 6,
            },
        )
        assert (result.accuracy, result.ece) == (expected.accuracy, expected.ece)
    assert str(report).count("\n") == 1 and "5 classes, 1 example each" in str(report)
    figures = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert len(figures["by_shots"][0]["reliability"]["counts"]) == 15

    write_diagram(report, tmp_path / "reliability.svg")
    drawn = ElementTree.parse(tmp_path / "reliability.svg").getroot()
    texts = " ".join(text for each in drawn.iter("{http://www.w3.org/2000/svg}text") for text in each.itertext())
    assert "5 classes, 3 examples each" in texts and "confidence" in texts


def test_galleries_answer_so(tmp_path: Path) -> None:
    """The same draw through a real gallery: labels and confidences are those that the protocol measures."""
    encoder = Encoder.load("characters")
    examples = load("digits", encoder.card.form)
    drawn = EpisodeSampler(examples.labels).draw(1, 5, 1, 4, unknown_ways=5, seed=0)
    support, asked = drawn.support.ravel(), np.append(drawn.query, drawn.unknown)
    with Gallery.open(tmp_path / "digits.gallery", create=True) as gallery:
        gallery.enroll(list(examples.items[support]), labels=[examples.classes[c] for c in examples.labels[support]])
        answers = gallery.identify(list(examples.items[asked]))
    enrolled = {examples.classes[c] for c in examples.labels[support]}
    truths = [examples.classes[c] for c in examples.labels[asked]]
    right = [
        answer.label == (truth if truth in enrolled else None) for answer, truth in zip(answers, truths, strict=True)
    ]
    report = open_set_of(encoder, examples, ways=5, queries=4, galleries=1)
    assert report.by_shots[0].open_accuracy == pytest.approx(np.mean(right))
    mean = np.average(report.by_shots[0].reliability.confidence, weights=report.by_shots[0].reliability.counts)
    assert mean == pytest.approx(np.mean([answer.confidence for answer in answers]), abs=0.02)


def test_the_command(lowshot: Callable[..., Any], fails: Callable[..., str], tmp_path: Path) -> None:
    few = ("digits?classes=0:0.5", "--protocol", "open", "--ways", 3, "--galleries", 2, "--queries", 2)
    diagram = tmp_path / "reliability.svg"
    ran = lowshot("evaluate", "characters", *few, "--shots", "1,2", "--diagram", diagram, "--json")
    assert [result["shots"] for result in json.loads(ran.out)["by_shots"]] == [1, 2]
    assert diagram.read_bytes().startswith(b"<?xml")
    assert "one number" in fails("evaluate", "characters", "digits", "--shots", "1,2")
    assert "1,2,5" in fails("evaluate", "characters", *few, "--shots", "none")
    assert "no folder" in fails("evaluate", "characters", *few, "--diagram", tmp_path / "none" / "x.svg")
    assert "--galleries" in fails("evaluate", "characters", "digits", "--galleries", 3)
    given = ("digits?classes=0:0.5", "--protocol", "open", "--queries", "digits", "--galleries", 2)
    [found] = json.loads(lowshot("evaluate", "characters", *given, "--recognizer", "simple-shot", "--json").out)[
        "by_shots"
    ]
    assert (found["ways"], found["unknown_classes"], found["queries"] + found["unknown_queries"]) == (5, 5, 1797)
    assert "leave the ways out" in fails("evaluate", "characters", *given, "--ways", 3)
    assert "no data 'nothing'" in fails("evaluate", "characters", *few[:3], "--queries", "nothing")
    assert "number from 1 on" in fails("evaluate", "characters", "digits", "--queries", "digits")
    assert "number from 1 on" in fails("evaluate", "characters", "digits", "--queries", "0")
    assert "--recognizer" in fails(
        "evaluate", "characters", "digits", "--protocol", "verify", "--recognizer", "neighbor"
    )
