"""Recognize a word that was heard only once, said by somebody else, and notice a word that was never heard.

    python examples/words.py [--heard jackson] [--unknown 7]

One recording each of nine spoken digits is enrolled, all in one voice; the five other people of the set say all ten. The
``speech`` encoder learned from recordings of people who are not in it.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from lowshot import Gallery, load

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--heard", default="jackson", help="whose words are enrolled")
parser.add_argument("--unknown", default="7", help="the digit that is not enrolled")
parser.add_argument("--recordings", type=int, default=20, help="of each digit by each person, at most 50")


def main(arguments: list[str] | None = None) -> None:
    """Print accuracy by speaker, and how well the unknown word is told."""
    chosen = parser.parse_args(arguments)
    said = load(f"fsdd?speaker={chosen.heard}").without(digit=chosen.unknown)
    enrolled = said.take(said.places == 0)
    others = load(f"fsdd?speaker!={chosen.heard}")
    digits, speakers = others.values("digit"), others.values("speaker")
    asked = np.flatnonzero(others.places % 50 < chosen.recordings)  # recordings are sorted by digit, then by speaker
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "words.gallery", "speech", create=True) as gallery,
    ):
        gallery.enroll_examples(enrolled)
        answers = gallery.identify(list(others.items[asked]), top=1)
    known = digits[asked] != chosen.unknown
    named = np.array([answer.candidates[0].label for answer in answers])
    for speaker in np.unique(speakers):
        right = (named == digits[asked])[known & (speakers[asked] == speaker)]
        print(f"{speaker}, of whom nothing was heard before: {right.mean():.1%} of {len(right)} right")
    area = roc_auc_score(known, [answer.known for answer in answers])
    print(f"{chosen.unknown!r} was never heard: told from the nine that were with an AUROC of {area:.3f}")


if __name__ == "__main__":
    main()
