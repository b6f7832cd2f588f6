"""A shop's shelf: find a garment from one photograph of each, comparing only with garments of its likely kinds.

    python examples/shop.py [--items 372] [--catalog clothing:train]

The photographs say of what kind a garment is, but none shows a garment a second time. So the shelf is asked with **changed
copies** of its photographs: mirrored, turned, cut, darker and bluer. Another photograph of a garment is harder than that.
What kind a photograph shows is predicted by a classifier that learns from other photographs, the catalog.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from lowshot import Answer, Encoder, Gallery, load

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--items", type=int, default=372, help="garments on the shelf, at most 372")
parser.add_argument("--catalog", default="clothing:train", help="photographs that say what kind they show")


def main(arguments: list[str] | None = None) -> None:
    """Five photographs of each kind first, then one of each garment."""
    chosen = parser.parse_args(arguments)
    encoder = Encoder.load("photos")
    catalog, garments = load(chosen.catalog, encoder.card.form), load("clothing:test")
    garments = garments.take(np.random.default_rng(0).permutation(len(garments))[: chosen.items])
    kinds = garments.attributes["category"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        with Gallery.open(Path(folder) / "kinds.gallery", encoder, create=True) as gallery:
            gallery.enroll_examples(catalog.take(catalog.places < 5))
            answers = gallery.identify(list(garments.items), top=1)
            print(f"{len(kinds)} garments by five photographs of each of ten kinds: {right(answers, kinds):.1%} right")

        with Gallery.open(Path(folder) / "shelf.gallery", encoder, create=True) as gallery:
            gallery.enroll_examples(garments.with_own_classes())
            gallery.train_gate("category", catalog.with_own_classes())
            asked = encoder.embed(encoder.read([changed(item) for item in garments.items]))
            for gate in ([], ["category"]):
                answers = gallery.identify_features(asked, top=1, gate=gate)
                compared = np.mean([answer.compared for answer in answers])
                print(f"gate {gate}: {right(answers, garments.names):.1%} found, {compared:.0f} compared")


def right(answers: list[Answer], truth: Sequence[str]) -> float:
    """How often the likeliest class is the true one."""
    return float(np.mean([answer.candidates[0].label == name for answer, name in zip(answers, truth, strict=True)]))


def changed(item: np.ndarray) -> Image.Image:
    """The photograph as if taken anew: mirrored, turned by 12°, its middle three quarters, darker and bluer."""
    image = Image.fromarray(item).transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(12, fillcolor="white")
    width, height = image.size
    image = image.crop((width // 8, height // 8, width - width // 8, height - height // 8))
    red, green, blue = ImageEnhance.Brightness(image).enhance(0.8).split()
    return Image.merge("RGB", (red.point(lambda value: 0.85 * value), green, blue))


if __name__ == "__main__":
    main()
