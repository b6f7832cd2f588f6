from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from lowshot.data import ImageForm, load


def test_the_digits_of_scikit_learn_dark_on_white() -> None:
    examples = load("digits")
    original = load_digits()
    assert examples.items.shape == (1797, 32, 32, 1) and examples.items.dtype == np.uint8
    assert examples.classes == tuple("0123456789")
    assert (examples.labels == original.target).all() and examples.labels.dtype == np.int64


def test_ink_stands_where_it_was_counted() -> None:
    ink = 255 - load("digits").items.astype(np.float64)
    blocks = ink.reshape(1797, 8, 4, 8, 4).mean(axis=(2, 4))
    counts = load_digits().images
    assert np.corrcoef(blocks.ravel(), counts.ravel())[0, 1] > 0.97
    assert blocks[counts == 0].mean() < 10 and blocks[counts == 16].mean() > 235


def test_another_form_keeps_the_drawing() -> None:
    native = load("digits").items
    larger = load("digits", ImageForm(height=64, width=64, channels=3)).items
    assert larger.shape == (1797, 64, 64, 3)
    assert (larger[..., 0] == larger[..., 2]).all()
    back = larger[..., :1].reshape(1797, 32, 2, 32, 2, 1).mean(axis=(2, 4))
    assert np.corrcoef(back.ravel(), native.ravel())[0, 1] > 0.98
