"""Train, evaluate and record: every accuracy in docs/results.md comes from here.

    python benchmarks/accuracy.py               # lists the runs
    python benchmarks/accuracy.py prototypical  # trains runs/prototypical.onnx if need be, evaluates, writes results/

A run is a training command and the evaluations of the encoder it makes. Delete the encoder to train anew.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowshot.disk import write_atomically
from lowshot.encoder import Encoder, add_card
from lowshot.encoder.named import find
from lowshot.evaluate.results import Budget, Published, Result, write_results

SNELL = "Snell et al. 2017, table 1"
VINYALS = {(5, 1): 0.988, (5, 5): 0.997, (20, 1): 0.960, (20, 5): 0.989}
OUR_PRESET = (
    "`cpu` preset: cosine with a learned scale, AdamW, distortions (the paper: Euclidean, Adam, none); "
    "one encoder for all four settings"
)
OURS = "trained on 28 of the 30 background alphabets; settings chosen on held-out background alphabets"


@dataclass(frozen=True)
class Measure:
    """One evaluation: arguments of ``lowshot evaluate`` after the encoder, and what its number is held against."""

    section: str
    title: str
    arguments: str
    measure: str = "accuracy"
    target: float | None = None
    published: Published | None = None
    note: str = ""


@dataclass(frozen=True)
class Run:
    """A training command (empty for a named encoder) and its evaluations."""

    training: str
    measures: tuple[Measure, ...]


def vinyals(section: str, title: str) -> tuple[Measure, ...]:
    """The four settings of the Vinyals split, beside Snell's numbers."""
    return tuple(
        Measure(
            section,
            f"{title}, {ways}-way {shots}-shot",
            f"omniglot:vinyals-test --ways {ways} --shots {shots} --queries 5 --episodes 1000 --seed 0",
            target=value,
            published=Published(value=value, source=SNELL, sure="recalled"),
            note=OUR_PRESET,
        )
        for (ways, shots), value in VINYALS.items()
    )


def lake(title: str, target: float, published: Published, note: str) -> Measure:
    """Lake's 400 trials."""
    return Measure("Lake's 400 trials", title, "omniglot --protocol lake", "error", target, published, note)


RUNS = {
    "characters": Run(
        "",
        (
            lake(
                "shipped encoder `characters`",
                0.05,
                Published(value=0.045, source="humans, Lake et al. 2015", sure="read"),
                OURS,
            ),
            Measure(
                "Omniglot evaluation alphabets",
                "`characters`, 20-way 1-shot across alphabets",
                "omniglot:evaluation --ways 20 --shots 1 --queries 5 --episodes 1000 --seed 0",
            ),
            Measure(
                "Omniglot evaluation alphabets",
                "`characters`, 20-way 1-shot within alphabets",
                "omniglot:evaluation --ways 20 --shots 1 --queries 5 --episodes 1000 --seed 0 --within alphabet",
            ),
            Measure(
                "Other data",
                "`characters`, digits 5-way 1-shot",
                "digits --ways 5 --shots 1 --queries 5 --episodes 1000 --seed 0",
                note="other hands, other pens, published as 8×8 counts: unlike its training data",
            ),
        ),
    ),
    "prototypical": Run(
        "omniglot:vinyals-trainval --val none --method prototypical --minutes 14 --seed 0",
        vinyals("Vinyals split", "Prototypical Networks, four blocks, 14 minutes"),
    ),
    "siamese": Run(
        "omniglot:background?rotations=4 --val none --method siamese --steps 5000 --seed 0",
        (
            lake(
                "Siamese Networks, `cpu` preset, 5000 steps",
                0.08,
                Published(value=0.08, source="Koch et al. 2015, table 2", sure="read"),
                "Koch had 40 background alphabets, this run 30",
            ),
        ),
    ),
}


def train(name: str, training: str) -> str:
    """The encoder's name or file, trained where it is not there yet."""
    if not training:
        return name
    out = Path("runs") / f"{name}.onnx"
    out.parent.mkdir(exist_ok=True)
    if not out.is_file():
        subprocess.run(["lowshot", "train", *shlex.split(training), "--out", str(out)], check=True)
    return str(out)


def record(name: str, encoder: str, measure: Measure) -> dict[str, Any]:
    """Evaluate and write the result file; gives what an encoder's card says of it."""
    arguments = ["lowshot", "evaluate", encoder, *shlex.split(measure.arguments)]
    done = subprocess.run([*arguments, "--json"], check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    card = Encoder.load(encoder).card
    story = card.config
    slug = "-".join([name, *(str(figures[key]) for key in ("ways", "shots") if key in figures)])
    slug += "-within" if "within" in measure.arguments else ""
    slug += f"-{measure.arguments.split()[0].replace(':', '-')}"
    Result(
        section=measure.section,
        title=measure.title,
        data=measure.arguments.split()[0],
        protocol="Lake's 400 trials"
        if measure.measure == "error"
        else f"{figures['ways']}-way {figures['shots']}-shot",
        measure=measure.measure,
        better="lower" if measure.measure == "error" else "higher",
        figures={key: value for key, value in figures.items() if isinstance(value, int | float)},
        target=measure.target,
        published=measure.published,
        seed=figures.get("seed"),
        episodes=figures.get("episodes"),
        budget=Budget(seconds=story.get("seconds"), steps=story.get("steps"), hardware=story.get("hardware", "")),
        command=f"{card.command} ; {shlex.join(arguments)}",
        note=measure.note,
    ).save(Path("results") / f"{slug}.json")
    print(f"{measure.title}: {figures[measure.measure]:.4f}")
    lasting = {key: value for key, value in figures.items() if "seconds" not in key}
    return {"protocol": f"lowshot evaluate ENCODER {measure.arguments}", **lasting}


def remember(encoder: str, measured: list[dict[str, Any]]) -> None:
    """Write what was measured into the encoder's card; its fingerprint stays."""
    path = find(encoder)
    old = Encoder.load(path)
    card = old.card.model_copy(update={"measured": tuple(measured)})
    write_atomically(path, add_card(path.read_bytes(), card, old.background()))


def main() -> None:
    """Do the runs that are named."""
    if unknown := [name for name in sys.argv[1:] if name not in RUNS]:
        sys.exit(f"no run {unknown[0]!r}; there are {', '.join(RUNS)}")
    if not sys.argv[1:]:
        print("\n".join(RUNS))
    for name in sys.argv[1:]:
        encoder = train(name, RUNS[name].training)
        remember(encoder, [record(name, encoder, measure) for measure in RUNS[name].measures])
    if sys.argv[1:]:
        write_results()


if __name__ == "__main__":
    main()
