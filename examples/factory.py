"""Tell defects of steel apart from one to five examples each, and notice one that was never shown.

    python examples/factory.py [--draws 5]

Each of the six defects in turn is left out: a line that knows the five others sees it for the first time. The ``photos``
encoder learned from photographs of everyday things; it has seen no steel.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from lowshot import Encoder, Gallery, load

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--draws", type=int, default=5, help="of the examples that are enrolled")
parser.add_argument("--pictures", type=int, default=300, help="of each defect, at most 300")


def main(arguments: list[str] | None = None) -> None:
    """Print accuracy and rejection by shots."""
    chosen = parser.parse_args(arguments)
    encoder = Encoder.load("photos")
    steel = load("neu_cls", encoder.card.form)
    steel = steel.take(steel.places < chosen.pictures)
    features = encoder.embed(steel.items)
    for shots in (1, 5):
        runs = [
            (defect, *ask(steel, features, encoder, left_out, shots, draw))
            for left_out, defect in enumerate(steel.classes)
            for draw in range(chosen.draws)
        ]
        print(f"{shots} example(s) of each of five defects:")
        for defect in steel.classes:
            right, area = np.mean([run[1:] for run in runs if run[0] == defect], axis=0)
            print(
                f"  {defect} left out: the others right {right:.1%}, told that it is unknown with an AUROC of {area:.3f}"
            )


def ask(steel, features, encoder, left_out: int, shots: int, draw: int) -> tuple[float, float]:
    """Enroll a few examples of all defects but one; accuracy of the others, and AUROC of the one left out."""
    rng = np.random.default_rng(draw)
    known = [label for label in range(len(steel.classes)) if label != left_out]
    enrolled = np.concatenate([rng.choice(np.flatnonzero(steel.labels == label), shots, False) for label in known])
    queries = np.setdiff1d(np.arange(len(steel)), enrolled)
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "steel.gallery", encoder, create=True) as gallery,
    ):
        gallery.enroll_examples(steel.take(enrolled))
        answers = gallery.identify_features(features[queries], top=1)
    truth = steel.labels[queries]
    right = [answers[i].candidates[0].label == steel.classes[truth[i]] for i in np.flatnonzero(truth != left_out)]
    return float(np.mean(right)), float(roc_auc_score(truth != left_out, [answer.known for answer in answers]))


if __name__ == "__main__":
    main()
