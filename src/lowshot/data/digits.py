"""scikit-learn's handwritten digits: 1,797 real drawings that come with the package, no download."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowshot.data.examples import Examples
from lowshot.data.images import ImageForm, read_pictures

NATIVE = ImageForm(height=32, width=32, channels=1)

VARIANTS = {"": "1797 handwritten digits of 10 classes, from scikit-learn (no download)"}


def load(variant: str, form: ImageForm | None = None) -> Examples:
    """The digits, classes ``"0"`` to ``"9"``; dark ink on white like every drawing here.

    Source: Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998 (the test part).
    The originals were 32×32 bitmaps; what is published, and what scikit-learn carries, counts the ink in each block of
    4×4. So the drawings are enlarged to 32×32 again and their gray edges sharpened to strokes: the shape is the
    writer's, nothing finer than the counts can come back.
    """
    from sklearn.datasets import load_digits  # here, because importing it takes longer than everything else

    counts, labels = load_digits(return_X_y=True)
    pixels = np.stack([_drawing(each) for each in counts.reshape(-1, 8, 8)])[..., None]
    return Examples(
        items=pixels if form in (None, NATIVE) else read_pictures(list(pixels), form),
        labels=labels.astype(np.int64),
        classes=tuple("0123456789"),
        names=tuple(f"digit {i}" for i in range(len(pixels))),
    )


def _drawing(counts: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(32, 32) pixels from (8, 8) counts of 0–16: a share of ink below a quarter is paper, above three quarters ink."""
    share = Image.fromarray((counts / 16).astype(np.float32)).resize((32, 32), Image.Resampling.BICUBIC)
    return np.rint(255 - 255 * np.clip(2 * np.asarray(share) - 0.5, 0, 1)).astype(np.uint8)
