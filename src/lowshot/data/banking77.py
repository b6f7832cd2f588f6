"""What customers ask a bank online: BANKING77, fine-grained intents of a single domain.

Source: Casanueva et al., "Efficient Intent Detection with Dual Sentence Encoders", NLP4ConvAI 2020.
"""

from __future__ import annotations

import csv

from lowshot.data.examples import Examples
from lowshot.data.locate import find_given
from lowshot.data.texts import TextForm, read_texts
from lowshot.errors import DataError

VARIANTS = {
    "train": "10,003 questions, 35 to 187 of each of 77 intents, in English",
    "test": "3,080 others, 40 of each intent",
}

_MAKE = "fetch train.csv and test.csv of github.com/PolyAI-LDN/task-specific-datasets (CC BY 4.0) to its folder"


def load(variant: str, form: TextForm | None = None) -> Examples:
    """The questions of one published part; classes are the intents as the set names them (``card_arrival``, …).

    :func:`~lowshot.data.texts.readable` makes words of a name. A text is the same in every ``form``. Raises DataNotFound
    where the file is not there: it is not downloaded.
    """
    path = find_given(f"banking77/{variant}.csv", _MAKE)
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if header != ["text", "category"] or not rows:
        raise DataError(f"{path} is not BANKING77's table of questions: {_MAKE}")
    names = [f"{variant} {i}" for i in range(len(rows))]
    return Examples.labeled(read_texts([text for text, _ in rows], names), [intent for _, intent in rows], names)
