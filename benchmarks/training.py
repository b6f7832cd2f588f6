"""What makes a training step fast on the CPU, as ratios within one run.

    python benchmarks/training.py

One step of Prototypical Networks (60-way, 1 shot, 5 queries, four blocks of 64 filters, 28×28) in processes that differ in
one thing each; rounds alternate, so a machine that slows down slows them all.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

ROUNDS, STEPS = 3, 12
PLAIN = {"memory": "kept", "precision": "bfloat16", "relu": "behind pooling"}
VARIANTS = {
    "as it is": PLAIN,
    "memory given back to the kernel": PLAIN | {"memory": "given back"},
    "float32": PLAIN | {"precision": "float32"},
    "relu before pooling": PLAIN | {"relu": "before pooling"},
}


def step_seconds(memory: str, precision: str, relu: str) -> float:
    """Median seconds of a step, data side included."""
    import numpy as np
    import torch

    from lowshot.data import Examples
    from lowshot.learn.batches import Batches
    from lowshot.learn.memory import keep_freed_memory
    from lowshot.learn.methods.prototypical import PrototypicalNetworks
    from lowshot.learn.run import configure

    if memory == "kept":
        keep_freed_memory()
    config, recipe = configure(PrototypicalNetworks, "cpu", {})
    torch.manual_seed(0)
    method = PrototypicalNetworks(config).to(memory_format=torch.channels_last)
    if relu == "before pooling":
        blocks = [[block[place] for place in (0, 1, 3, 2)] for block in method.network.blocks]
        method.network.blocks = torch.nn.Sequential(*(torch.nn.Sequential(*block) for block in blocks))
    items = np.random.default_rng(0).integers(0, 256, (2000, 28, 28, 1)).astype(np.uint8)
    examples = Examples(items, np.repeat(np.arange(100), 20), tuple(map(str, range(100))))
    batches = Batches(examples, method, recipe.distortion, torch.device("cpu"))
    optimizer = torch.optim.AdamW(method.parameters())
    times = []
    for step in range(STEPS + 3):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = method(batches.draw(0, step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def main() -> None:
    """Run every variant in processes of their own, in turn."""
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(ROUNDS):
        for name, variant in VARIANTS.items():
            command = [sys.executable, __file__, json.dumps(variant)]
            found[name].append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    plain = found["as it is"]
    report = {
        name: {
            "ms": round(1000 * statistics.median(times), 1),
            "times as long": round(statistics.median(t / p for t, p in zip(times, plain, strict=True)), 2),
        }
        for name, times in found.items()
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(step_seconds(**json.loads(sys.argv[1])))
    else:
        main()
