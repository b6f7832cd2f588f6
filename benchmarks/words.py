"""A word seen once: definitional nonces and Chimeras, over GloVe's vectors, four ways.

    python benchmarks/words.py [settings] [nonces] [chimeras]

Needs ``pip install 'lowshot[words]'``, the sets nonce2vec, clinc150 and banking77 in $LOWSHOT_DATA, and WordNet. Two of
the ways learn from WordNet's definitions and examples first: nothing of the 299 words that the nonces ask for. Settings were
chosen on other words, ``settings`` shows how they do: definitions by 2000 of WordNet's nouns and their own definitions,
uses by the words of MEN, in sentences of CLINC150 and BANKING77, against what people say of them and other words.

The tests were run more than once: about thirty settings of the sum were scored on them in a first look (0.049 and
.35/.34/.39 at best, each by another setting), and once more before the settings were chosen anew on the other words. What
is written is the run with the settings chosen so, which is lower on most.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from lowshot.data import nonces as sets
from lowshot.data.locate import find_given
from lowshot.data.nonces import Chimera, Definition
from lowshot.data.word_vectors import WordVectors, load_vectors
from lowshot.data.wordnet import Entry, entries
from lowshot.evaluate import chimeras as score_chimeras
from lowshot.evaluate import nonces as score_nonces
from lowshot.evaluate.results import Budget, Published, Result, write_results
from lowshot.recognize.words.named import NAMES, SETTINGS, learner_named

SECTION = "Words seen once"
SOURCE = "Herbelot & Baroni 2017, tables 1 and 2; skip-gram vectors of 400 features from Wikipedia"
PUBLISHED = {  # MRR; Spearman's correlation by number of sentences
    "additive": (0.03686, {2: 0.3376, 4: 0.3624, 6: 0.4080}),
    "nonce2vec": (0.04907, {2: 0.3320, 4: 0.3668, 6: 0.3890}),
}
TARGET, TARGETS = 0.049, {2: 0.33, 4: 0.37, 6: 0.39}
TITLES = {
    "additive": "additive context vectors",
    "nonce2vec": "Nonce2Vec",
    "a-la-carte": "A La Carte, its map learned from WordNet",
    "lampinen-mcclelland": "Lampinen & McClelland, a log-bilinear model of WordNet's text",
}
CHANGES: list[tuple[str, dict[str, float | None]]] = [
    *(
        ("additive", {"frequent": frequent, "directions": directions, "a": a})
        for frequent in (300, 1000, 3000, 100_000, None)
        for directions in (0, 2, 4)
        for a in (3e-4, 1e-4, 3e-5)
    ),
    *(("nonce2vec", {"rate": rate}) for rate in (1.0, 0.3, 0.1, 0.03)),
    *(("a-la-carte", {"least": number}) for number in (1, 5, 20)),
    *(("lampinen-mcclelland", {"steps": number}) for number in (10, 30)),
]
NOUNS, FEWEST = 2000, 6  # words asked for to choose settings; sentences or pairs of each word of MEN


def text(known: list[Entry]) -> list[str]:
    """All of WordNet, a line a definition or an example."""
    return [line for entry in known for line in entry.lines]


def nonces() -> None:
    """The rank of a word's own vector after reading its definition."""
    vectors, known, asked = load_vectors(), text(entries()), sets.definitions()
    for name in NAMES:
        found = score_nonces(learner_named(name, vectors, known, "definition", {each.word for each in asked}), asked)
        published = PUBLISHED.get(name)
        Result(
            section=SECTION,
            title=f"definitional nonces, {TITLES[name]}",
            data="nonce2vec",
            protocol=f"rank of the own vector among {found.vocabulary}",
            measure="mrr",
            unit="mean reciprocal rank",
            figures=found.as_dict(),
            target=TARGET,
            published=published and Published(value=published[0], source=SOURCE, sure="recalled"),
            budget=Budget(seconds=found.seconds, hardware=f"{os.cpu_count()} CPU cores"),
            command=f"lowshot evaluate words nonces --method {name}",
            note=f"median rank {found.median_rank:g}; GloVe, 50 features",
        ).save(Path("results") / f"words-nonces-{name}.json")
        print(name, found, flush=True)


def chimeras() -> None:
    """How alike people and a learned word place others beside it."""
    vectors, known = load_vectors(), text(entries())
    trials = {sentences: sets.chimeras(sentences) for sentences in sets.SENTENCES}
    for name in NAMES:
        found = score_chimeras(learner_named(name, vectors, known, "uses"), trials)
        for sentences, correlation in found.correlation.items():
            published = PUBLISHED.get(name)
            Result(
                section=SECTION,
                title=f"Chimeras in {sentences} sentences, {TITLES[name]}",
                data="nonce2vec",
                protocol="Spearman's correlation with people's ratings",
                measure="correlation",
                unit="correlation",
                figures={
                    "correlation": correlation,
                    "ci95": found.ci95[sentences],
                    "trials": found.trials[sentences],
                },
                target=TARGETS[sentences],
                published=published and Published(value=published[1][sentences], source=SOURCE, sure="recalled"),
                budget=Budget(seconds=found.seconds, hardware=f"{os.cpu_count()} CPU cores"),
                command=f"lowshot evaluate words chimeras --method {name}",
                note="GloVe, 50 features",
            ).save(Path("results") / f"words-chimeras-{sentences}-{name}.json")
        print(name, found, flush=True)


def settings() -> None:
    """How settings do on the words that they were chosen on, the highest mean; prints only, for an hour."""
    vectors, known = load_vectors(), entries()
    asked, trials = nouns(vectors, known), of_men(vectors)
    without = {each.word for each in asked + sets.definitions()}
    without |= {word for one, other, _ in sets.similarities() for word in (one, other)}
    for name, changed in CHANGES:
        by_definition, by_uses = (
            learner_named(name, vectors, text(known), without=without, settings=replace(each, **changed))
            for each in SETTINGS.values()
        )
        found = score_nonces(by_definition, asked), score_chimeras(by_uses, trials)
        print(name, changed, *found, sep="\n    ", flush=True)


def nouns(vectors: WordVectors, known: list[Entry]) -> list[Definition]:
    """Nouns of one meaning, with it; none of the test."""
    taken = {each.word for each in sets.definitions()}
    meanings = Counter(word for entry in known for word in entry.words)
    fit = [
        Definition(word, f"___ is {entry.definition}")
        for entry in known
        if entry.part == "noun" and len(entry.definition.split()) >= FEWEST
        for word in entry.words[:1]
        if meanings[word] == 1 and word in vectors and word not in taken
    ]
    return [fit[i] for i in np.random.default_rng(0).permutation(len(fit))[:NOUNS]]


def of_men(vectors: WordVectors) -> dict[int, list[Chimera]]:
    """MEN's words in two, four and six sentences, beside the words that people compared them with."""
    compared = defaultdict(list)
    for one, other, rating in sets.similarities():
        compared[one].append((other, rating))
        compared[other].append((one, rating))
    said = [line for line, _ in json.loads(find_given("clinc150/data_full.json", "put it there").read_bytes())["train"]]
    with find_given("banking77/train.csv", "put it there").open(encoding="utf-8") as file:
        said += [row["text"] for row in csv.DictReader(file)]
    using = defaultdict(list)
    for sentence in dict.fromkeys(said):
        for word in set(sentence.lower().split()) & compared.keys():
            using[word].append(sentence.lower().replace(word, "___"))
    rng = np.random.default_rng(0)
    words = [word for word, sentences in using.items() if min(len(sentences), len(compared[word])) >= FEWEST]
    mixed = {word: [using[word][i] for i in rng.permutation(len(using[word]))[:FEWEST]] for word in words}
    return {
        number: [
            Chimera(tuple(mixed[word][:number]), *zip(*compared[word], strict=True))
            for word in words
            if word in vectors
        ]
        for number in sets.SENTENCES
    }


PARTS = {part.__name__: part for part in (settings, nonces, chimeras)}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
    write_results()
