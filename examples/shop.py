"""A shop's shelf: name the kind of a garment from five photographs of each kind, find the very garment from one.

    python examples/shop.py [--items 372]

The photographs say of what kind a garment is, but none shows a garment a second time. So the second part asks with
**changed copies**: mirrored, turned, cut, darker and bluer. Another photograph of the garment is harder than that.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from lowshot import Encoder, Gallery, load

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--items", type=int, default=372, help="garments on the shelf, at most 372")


def main(arguments: list[str] | None = None) -> None:
    """Both parts, with the ``photos`` encoder."""
    chosen = parser.parse_args(arguments)
    encoder = Encoder.load("photos")
    catalog, garments = load("clothing:validation"), load("clothing:test")
    some = np.random.default_rng(0).permutation(len(garments))[: chosen.items]
    garments = garments.take(np.sort(some))
    kinds = [garments.classes[label] for label in garments.labels]
    with tempfile.TemporaryDirectory() as folder:
        with Gallery.open(Path(folder) / "kinds.gallery", encoder, create=True) as gallery:
            place = np.arange(len(catalog)) - np.searchsorted(catalog.labels, catalog.labels)
            gallery.enroll_examples(catalog.take(place < 5))
            answers = gallery.identify(list(garments.items), top=1)
            right = [answer.candidates[0].label == kind for answer, kind in zip(answers, kinds, strict=True)]
            print(f"{len(kinds)} garments, five photographs of each of ten kinds: {np.mean(right):.1%} right")

        with Gallery.open(Path(folder) / "shelf.gallery", encoder, create=True) as gallery:
            facts = [{"category": kind} for kind in kinds]
            gallery.enroll(list(garments.items), garments.names, garments.names, facts)
            answers = gallery.identify([changed(item) for item in garments.items], top=1)
            right = [answer.candidates[0].label == name for answer, name in zip(answers, garments.names, strict=True)]
            print(f"{len(right)} changed photographs, one of each garment enrolled: {np.mean(right):.1%} found")


def changed(item: np.ndarray) -> Image.Image:
    """The photograph as if taken anew: mirrored, turned by 12°, its middle three quarters, darker and bluer."""
    image = Image.fromarray(item).transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(12, fillcolor="white")
    width, height = image.size
    image = image.crop((width // 8, height // 8, width - width // 8, height - height // 8))
    red, green, blue = ImageEnhance.Brightness(image).enhance(0.8).split()
    return Image.merge("RGB", (red.point(lambda value: 0.85 * value), green, blue))


if __name__ == "__main__":
    main()
