"""What each kind of regularization is worth: an ablation on classes held out of the background set.

    python benchmarks/regularization.py [STEPS]

Prototypical Networks, the `cpu` preset without any, then with one kind at a time, trained on omniglot:vinyals-train and
measured on omniglot:vinyals-val. Never on test classes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from lowshot.data import load
from lowshot.evaluate import nway_of
from lowshot.evaluate.results import Budget, Result, write_results
from lowshot.learn.augment import LIGHT
from lowshot.learn.memory import keep_freed_memory
from lowshot.learn.methods import find_method
from lowshot.learn.run import configure, hardware
from lowshot.learn.saved import SavedMethod, Story
from lowshot.learn.trainer import train

AFFINE = LIGHT.model_dump() | {"elastic": 0.0}
ELASTIC = {"elastic": LIGHT.elastic}
KINDS: dict[str, dict[str, Any]] = {
    "none": {},
    "affine distortion": {"distortion": AFFINE},
    "elastic distortion": {"distortion": ELASTIC},
    "affine and elastic distortion": {"distortion": LIGHT.model_dump()},
    "weight decay 0.05": {"weight_decay": 0.05},
    "dropout 0.1": {"dropout": 0.1},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "mixup 0.2": {"mixup": 0.2},
    "none, Euclidean distance": {"distance": "euclidean"},  # directions have no length that could be kept small
    "embedding norm 0.01, Euclidean distance": {"distance": "euclidean", "embedding_norm": 0.01},
}


def measure(kind: str, settings: dict[str, Any], steps: int) -> None:
    """Train with one kind and write its result file."""
    chosen = find_method("prototypical")
    config, recipe = configure(chosen, "cpu", {"distortion": {}, "weight_decay": 0.0, "steps": steps, **settings})
    torch.manual_seed(recipe.seed)
    trained = train(chosen(config), load("omniglot:vinyals-train", config.form), recipe, console=Console(stderr=True))
    model = SavedMethod(trained.method, Story(name=kind, method="prototypical", config={}))
    slug = "-".join("".join(c for c in kind.lower() if c.isalnum() or c == " ").split())
    found = nway_of(model, load("omniglot:vinyals-val", config.form))
    Result(
        section="Regularization: an ablation on validation classes",
        title=kind,
        data="omniglot:vinyals-val",
        protocol="20-way 1-shot",
        measure="accuracy",
        figures={"accuracy": found.accuracy, "ci95": found.ci95},
        seed=found.seed,
        episodes=found.episodes,
        budget=Budget(seconds=round(trained.seconds, 1), steps=steps, hardware=hardware()),
        command=f"python benchmarks/regularization.py {steps}",
    ).save(Path("results") / f"regularization-{slug}.json")
    print(f"{kind}: {found.accuracy:.4f} ± {found.ci95 or 0:.4f}", flush=True)


def main() -> None:
    """Measure every kind."""
    keep_freed_memory()
    steps = int(sys.argv[1]) if sys.argv[1:] else 1500
    for kind, settings in KINDS.items():
        measure(kind, settings, steps)
    write_results()


if __name__ == "__main__":
    main()
