"""Understand what customers want before anybody wrote a sentence: by the names of the intents, then by an example each.

    python examples/intents.py [--examples 1] [--queries 10]

The first answers come from names in words alone, such as "card not working" (BANKING77). Then a sentence of each intent
stands beside its name. Asked are other customers' sentences, and everyday ones (CLINC150) that mean no intent.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from lowshot import Answer, Gallery, load
from lowshot.data.texts import readable

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--examples", type=int, default=1, help="sentences of each intent that are enrolled at last")
parser.add_argument("--queries", type=int, default=10, help="sentences asked of each intent, at most 40")


def main(arguments: list[str] | None = None) -> None:
    """Ask twice, and show what decided the first answer."""
    chosen = parser.parse_args(arguments)
    written, asked, strange = load("banking77:train"), load("banking77:test"), load("clinc150:oos-test")
    asked = asked.take(asked.places < chosen.queries)
    intents = [asked.classes[label] for label in asked.labels]
    queries = [*asked.items, *strange.items]
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "intents.gallery", "text", create=True) as gallery,
    ):
        gallery.describe({name: readable(name) for name in asked.classes})
        report("by names alone", gallery.identify(queries, top=1), intents)
        gallery.enroll_examples(written.take(written.places < chosen.examples))
        answers = gallery.identify(queries, top=1)
        report("by names and examples", answers, intents)
    decided = answers[0].examples[0]
    evidence = "its description" if decided.described else f"an example ({decided.name})"
    print(f'"{queries[0]}" is nearest to {decided.label} by {evidence}')


def report(how: str, answers: list[Answer], intents: list[str]) -> None:
    """How often the likeliest intent is right, and how well sentences of none are told from the others."""
    named = np.array([answer.candidates[0].label for answer in answers[: len(intents)]])
    area = roc_auc_score(np.arange(len(answers)) < len(intents), [answer.known for answer in answers])
    print(f"{how}: {np.mean(named == intents):.1%} of {len(intents)} right; of no intent: AUROC {area:.3f}")


if __name__ == "__main__":
    main()
