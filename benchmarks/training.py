"""What makes a training step fast on the CPU, as ratios within one run.

    python benchmarks/training.py

One 60-way step (1 shot, 5 queries, four blocks of 64 filters, 28×28) in processes that differ in one thing each; rounds
alternate, so a machine that slows down slows them all. The data side is drawing, gathering and distorting.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

ROUNDS, STEPS = 3, 12
METHODS = ("prototypical", "matching")
PLAIN = {"precision": "bfloat16", "layout": "channels last", "memory": "kept", "relu": "behind pooling"}
VARIANTS = {
    "as it is": PLAIN,
    "plain float32": PLAIN | {"precision": "float32", "layout": "contiguous"},
    "float32": PLAIN | {"precision": "float32"},
    "memory given back to the kernel": PLAIN | {"memory": "given back"},
    "relu before pooling": PLAIN | {"relu": "before pooling"},
}


def step_seconds(method: str, precision: str, layout: str, memory: str, relu: str) -> tuple[float, float]:
    """Median seconds of a step and of its data side."""
    import numpy as np
    import torch

    from lowshot.data import Examples
    from lowshot.learn.batches import Batches
    from lowshot.learn.memory import keep_freed_memory
    from lowshot.learn.methods import find_method
    from lowshot.learn.run import configure

    if memory == "kept":
        keep_freed_memory()
    chosen = find_method(method)
    config, recipe = configure(chosen, "cpu", {})
    torch.manual_seed(0)
    learner = chosen(config)
    if layout == "channels last":
        learner = learner.to(memory_format=torch.channels_last)
    if relu == "before pooling":
        blocks = [[block[place] for place in (0, 1, 3, 2)] for block in learner.network.blocks]
        learner.network.blocks = torch.nn.Sequential(*(torch.nn.Sequential(*block) for block in blocks))
    items = np.random.default_rng(0).integers(0, 256, (2000, 28, 28, 1)).astype(np.uint8)
    examples = Examples(items, np.repeat(np.arange(100), 20), tuple(map(str, range(100))))
    batches = Batches(examples, learner, recipe.distortion, torch.device("cpu"))
    optimizer = torch.optim.AdamW(learner.parameters())
    steps, draws = [], []
    for step in range(STEPS + 3):
        start = time.perf_counter()
        batch = batches.draw(0, step)
        draws.append(time.perf_counter() - start)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = learner(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps.append(time.perf_counter() - start)
    return statistics.median(steps[3:]), statistics.median(draws[3:])


def main() -> None:
    """Run every variant in processes of their own, in turn."""
    found: dict[str, dict[str, list[list[float]]]] = {each: {name: [] for name in VARIANTS} for each in METHODS}
    for _ in range(ROUNDS):
        for method, variants in found.items():
            for name, times in variants.items():
                command = [sys.executable, __file__, json.dumps({"method": method, **VARIANTS[name]})]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                times.append(json.loads(done.stdout))
    report = {
        method: {
            name: {
                "ms": round(1000 * statistics.median(step for step, _ in times), 1),
                "times as long": round(
                    statistics.median(
                        step / plain for (step, _), (plain, _) in zip(times, variants["as it is"], strict=True)
                    ),
                    2,
                ),
                "data side": round(statistics.median(draw / step for step, draw in times), 3),
            }
            for name, times in variants.items()
        }
        for method, variants in found.items()
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(step_seconds(**json.loads(sys.argv[1]))))
    else:
        main()
