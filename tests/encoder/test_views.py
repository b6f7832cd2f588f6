"""Views against plain slicing and Pillow, and the support features made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from lowshot.data import load
from lowshot.encoder import Card, Encoder, Views, recommend_views, views
from lowshot.errors import ConfigError, ShapeError

Make = Callable[..., bytes]


def pictures(number: int = 3, size: int = 50, channels: int = 1) -> Any:
    """Smooth ones: noise has nothing between its pixels to interpolate."""
    small = np.random.default_rng(0).integers(0, 256, (number, 5, 5, channels)).astype(np.uint8)
    large = [
        [Image.fromarray(channel).resize((size, size), Image.Resampling.BICUBIC) for channel in item.transpose(2, 0, 1)]
        for item in small
    ]
    return np.stack([np.stack([np.asarray(channel) for channel in item], axis=-1) for item in large])


@pytest.mark.parametrize(("kind", "number"), [("none", 1), ("shifts", 5), ("flip", 2)])
def test_the_first_view_is_the_item_itself(kind: Views, number: int) -> None:
    items = pictures(channels=3)
    seen = views(items, kind)
    assert seen.shape == (3, number, 50, 50, 3)
    assert seen.dtype == np.uint8
    np.testing.assert_array_equal(seen[:, 0], items)


def test_shifts_move_by_six_percent_and_edges_go_on() -> None:
    items = pictures()
    seen = views(items, "shifts")
    row = np.arange(50)
    for place, (axis, step) in enumerate([(1, -3), (1, 3), (2, -3), (2, 3)], start=1):
        expected = items.take(np.clip(row + step, 0, 49), axis=axis)
        np.testing.assert_array_equal(seen[:, place], expected)


def test_flip_is_the_mirror_image() -> None:
    items = pictures(channels=3)
    np.testing.assert_array_equal(views(items, "flip")[:, 1], items[:, :, ::-1])


def test_other_views_and_other_arrays_are_refused() -> None:
    with pytest.raises(ConfigError, match="'turns': choose one of none, shifts, flip"):
        views(pictures(), "turns")  # type: ignore[arg-type]
    for bad in (pictures()[0], pictures().astype(np.float32)):
        with pytest.raises(ShapeError, match=r"uint8 \(n, height, width, channels\)"):
            views(bad, "flip")


@pytest.mark.parametrize("kind", get_args(Views))
def test_support_features_are_the_means_at_unit_length(tiny_encoder: Encoder, kind: Views) -> None:
    items = pictures(70, size=8)
    each = tiny_encoder.embed(views(items, kind).reshape(-1, 8, 8, 1)).reshape(70, -1, 16)
    mean = each.mean(axis=1)
    expected = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(tiny_encoder.embed_support(items, kind), expected, atol=1e-5)


def test_the_card_says_which_views_and_an_old_card_says_none(tiny_model: Make) -> None:
    items = pictures(4, size=8)
    old, new = Encoder(tiny_model()), Encoder(tiny_model(views="shifts"))
    assert old.card.views == "none"
    np.testing.assert_array_equal(old.embed_support(items), old.embed(items))
    np.testing.assert_array_equal(new.embed_support(items), old.embed_support(items, "shifts"))
    assert new.fingerprint == old.fingerprint
    before = old.card.model_dump_json(exclude={"views"})
    assert Card.model_validate_json(before) == old.card


def test_lengths_that_matter_are_kept(tiny_model: Make) -> None:
    encoder, items = Encoder(tiny_model(distance="euclidean")), pictures(4, size=8)
    mean = encoder.embed(views(items, "flip").reshape(-1, 8, 8, 1)).reshape(4, 2, 16).mean(axis=1)
    np.testing.assert_allclose(encoder.embed_support(items, "flip"), mean, atol=1e-6)


def test_no_items_and_items_of_another_form(tiny_encoder: Encoder) -> None:
    assert tiny_encoder.embed_support(pictures(4, size=8)[:0], "flip").shape == (0, 16)
    with pytest.raises(ShapeError, match="8, 8, 1"):
        tiny_encoder.embed_support(pictures(), "flip")


def test_shifts_bring_a_drawing_nearer_to_others_of_its_class(data_folder: Path) -> None:
    """On ten validation classes: distances to the class mean of ten other drawings."""
    encoder = Encoder.load("characters")
    drawings = load("omniglot:background?alphabet=Hebrew", encoder.card.form)
    chosen = drawings.take(drawings.labels < 10)
    alone, seen = encoder.embed(chosen.items), encoder.embed_support(chosen.items, "shifts")
    own = np.stack([alone[chosen.labels == label][10:].mean(axis=0) for label in range(10)])[chosen.labels]
    first = np.tile(np.arange(20) < 10, 10)
    nearer = ((seen * own).sum(axis=1) > (alone * own).sum(axis=1))[first]
    assert nearer.mean() > 0.8


def test_an_encoder_that_recommends_views_is_the_same_encoder(tiny_model: Callable[..., bytes]) -> None:
    rng = np.random.default_rng(0)
    background = rng.normal(size=(6, 16)).astype(np.float32), np.arange(6) // 2
    before = Encoder(tiny_model(background=background))
    after = Encoder(recommend_views(tiny_model(background=background), "shifts"))
    assert after.card.views == "shifts" and after.fingerprint == before.fingerprint
    for one, other in zip(after.background() or (), before.background() or (), strict=True):
        assert np.array_equal(one, other)
