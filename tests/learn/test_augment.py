"""Distortions do what their settings say, to each image in its own way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lowshot.learn.augment import KOCH, Distortion, distort


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blob(number: int = 64, size: int = 41) -> Tensor:
    """A round spot in the middle."""
    axis = torch.arange(size) - size // 2
    spot = torch.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / 18.0)
    return spot.expand(number, 1, size, size).clone()


def centers(images: Tensor) -> Tensor:
    """Center of mass (n, 2) in pixels, x before y, from the middle."""
    axis = torch.arange(images.shape[-1], dtype=torch.float32) - images.shape[-1] // 2
    mass = images.sum((1, 2, 3))
    return torch.stack([(images.sum((1, 2)) * axis).sum(1) / mass, (images.sum((1, 3)) * axis).sum(1) / mass], dim=1)


def test_nothing_asked_nothing_changed() -> None:
    images = torch.rand(3, 1, 8, 8)
    assert distort(images, Distortion(), seeded()) is images


def test_the_same_seed_distorts_alike() -> None:
    how = Distortion(rotate=15, scale=0.2, shear=0.2, shift=0.1, elastic=0.05)
    images = torch.rand(5, 1, 16, 16)
    assert torch.equal(distort(images, how, seeded(3)), distort(images, how, seeded(3)))
    assert not torch.equal(distort(images, how, seeded(3)), distort(images, how, seeded(4)))


def test_each_image_is_distorted_for_itself_and_stays_ink() -> None:
    out = distort(blob(), Distortion(rotate=15, scale=0.2, shear=0.2, shift=0.1, elastic=0.05), seeded())
    assert out.shape == blob().shape
    assert len(torch.unique(out.flatten(1), dim=0)) == len(out)
    assert (out >= 0).all() and (out <= 1).all()


def test_shift_is_a_share_of_the_size() -> None:
    moved = centers(distort(blob(512), Distortion(shift=0.1), seeded()))
    limit = 0.1 * 41
    assert moved.abs().max() <= limit + 0.05
    assert moved.abs().max() > 0.9 * limit
    assert abs(float(moved.std()) - limit / 3**0.5) < 0.1 * limit  # uniform


def test_rotation_turns_by_at_most_the_angle() -> None:
    images = torch.zeros(256, 1, 65, 65)
    images[:, :, 32, 50:60] = 1  # to the right of the middle
    x, y = centers(distort(images, Distortion(rotate=30), seeded())).T
    angles = torch.rad2deg(torch.atan2(y, x))
    assert 27 < angles.abs().max() <= 30.5
    assert (angles > 0).any() and (angles < 0).any()


def test_scale_grows_and_shrinks() -> None:
    mass = distort(blob(256), Distortion(scale=0.2), seeded()).sum((1, 2, 3)) / blob(1).sum()
    assert 1 / 1.2**2 - 0.02 < mass.min() < 0.8 and 1.25 < mass.max() < 1 / 0.8**2 + 0.02


def test_chance_leaves_some_alone() -> None:
    out = distort(blob(512), Distortion(shift=0.1, chance=0.5), seeded())
    untouched = torch.isclose(out, blob(512), atol=1e-4).flatten(1).all(1).float().mean()
    assert 0.15 < untouched < 0.35  # a quarter: neither axis moved


def test_koch_moves_two_pixels_of_105() -> None:
    assert pytest.approx(2) == KOCH.shift * 105


def test_flip_mirrors_its_share_of_the_images() -> None:
    images = torch.rand(400, 1, 8, 8)
    out = distort(images, Distortion(flip=0.25), seeded())
    mirrored, kept = ((out - each).abs().amax((1, 2, 3)) < 1e-5 for each in (images.flip(3), images))
    assert (mirrored | kept).all()
    assert 0.2 < float(mirrored.float().mean()) < 0.3


def test_flip_changes_no_other_amount() -> None:
    images = torch.rand(8, 1, 16, 16)
    how = Distortion(rotate=15, scale=0.2, shift=0.1)
    flipped = distort(images, how.model_copy(update={"flip": 1.0}), seeded())
    assert torch.allclose(flipped, distort(images.flip(3), how, seeded()), atol=1e-5)


def test_settings_without_flip_are_written_as_before_there_was_one() -> None:
    assert "flip" not in KOCH.model_dump()
    assert Distortion.model_validate(Distortion(flip=0.5).model_dump()) == Distortion(flip=0.5)


def test_bands_paint_over_rows_and_columns() -> None:
    out = distort(torch.ones(400, 2, 20, 30), Distortion(bands=0.3), seeded())
    assert set(out.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(out[:, 0], out[:, 1])
    for along, side in ((out[:, 0].amax(dim=2), 20), (out[:, 0].amax(dim=1), 30)):
        hidden = along == 0
        number = hidden.sum(dim=1).float()
        assert 0.25 * side < number.max() <= 0.3 * side + 1
        assert abs(float(number.mean()) - 0.15 * side) < 0.05 * side
        assert (hidden.int().diff(dim=1).abs().sum(dim=1) <= 2).all(), "one stretch"
        assert hidden.any(dim=0).all(), "anywhere"


def test_noise_is_added_to_every_pixel() -> None:
    images = torch.full((50, 1, 20, 20), 0.5)
    noise = distort(images, Distortion(noise=0.1), seeded()) - images
    assert abs(float(noise.std()) - 0.1) < 0.005 and abs(float(noise.mean())) < 0.005
    assert not Distortion(noise=0.1).idle and not Distortion(bands=0.1).idle


def test_what_came_later_changes_no_settings_and_no_movement() -> None:
    before = Distortion(rotate=15, shift=0.1)
    assert not {"bands", "noise", "flip"} & before.model_dump().keys()
    after = before.model_copy(update={"bands": 1e-9})
    assert torch.equal(distort(blob(), before, seeded()), distort(blob(), after, seeded()))
    assert Distortion.model_validate(after.model_dump()) == after
