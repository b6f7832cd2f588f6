"""Training: it learns, it is repeatable, it survives being killed, it refuses what cannot work."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from lowshot.data import Examples, ImageForm
from lowshot.encoder import Encoder
from lowshot.errors import DataError, TrainingError
from lowshot.learn.batches import Batches
from lowshot.learn.classification import ClassificationMethod
from lowshot.learn.distances import distances
from lowshot.learn.method import Method
from lowshot.learn.methods import METHODS
from lowshot.learn.methods.lstm import LSTMConfig, LSTMNetwork
from lowshot.learn.methods.prototypical import PrototypicalConfig, PrototypicalNetworks
from lowshot.learn.recipe import Recipe
from lowshot.learn.run import configure
from lowshot.learn.trainer import Interrupted, Validator, precision, train


def tiny(seed: int = 0) -> PrototypicalNetworks:
    torch.manual_seed(seed)
    return PrototypicalNetworks(PrototypicalConfig(filters=8, ways=10, queries=2))


def weights(method: Method[Any]) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in method.state_dict().values()])


@pytest.fixture(scope="module")
def noise() -> Examples:
    """Examples that need no data files: 30 classes of 6 random patterns."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (30, 1, 28, 28, 1))
    items = np.clip(base + rng.normal(0, 60, (30, 6, 28, 28, 1)), 0, 255).astype(np.uint8)
    return Examples(
        items.reshape(180, 28, 28, 1), np.repeat(np.arange(30), 6), tuple(f"pattern {i}" for i in range(30))
    )


FEATURES = [each for each in METHODS if not (each.Config().obstacle or issubclass(each, ClassificationMethod))]
"""Methods of distances between features. What others learn in seconds is tested in the file of each."""


@pytest.mark.parametrize("method", FEATURES, ids=lambda method: method.record.name)
def test_seconds_of_training_beat_an_untrained_network(
    method: type[Method[Any]], characters: Callable[[ImageForm], tuple[Examples, Examples]]
) -> None:
    settings = {"steps": 60, "average": 0.9, "validations": 2, "val_episodes": 100, "distortion": {}}
    config, recipe = configure(method, "cpu", settings)
    small = {"ways": 30, "queries": 2, "pairs": 60, "filters": 32}
    config = config.model_copy(update={key: value for key, value in small.items() if key in type(config).model_fields})
    background, held_out = characters(config.form)
    torch.manual_seed(0)
    chosen = method(config)
    with torch.no_grad():  # batch statistics, so that the start is a fair one
        chosen.train()(Batches(background, chosen, recipe.distortion, torch.device("cpu")).draw(seed=0, step=0))
    before = Validator(held_out, recipe, torch.device("cpu")).accuracy(chosen)
    trained = train(chosen, background, recipe, validation=held_out)
    assert trained.steps == 60
    assert trained.accuracy is not None and trained.accuracy > before + 0.2
    assert trained.accuracy > 0.5  # 20-way: chance is 0.05


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_every_optimizer_lowers_the_loss(optimizer: Any, noise: Examples) -> None:
    recipe = Recipe(steps=30, optimizer=optimizer, lr=0.01, validations=30, val_episodes=1)
    trained = train(tiny(), noise.split(0.7)[0], recipe, validation=noise.split(0.7)[1])
    losses = [each["loss"] for each in trained.history]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.3


def test_validation_asks_no_more_ways_than_a_method_answers(noise: Examples) -> None:
    background, validation = noise.split(0.5)
    config = LSTMConfig(size=28, ways=3, presentations=2, controller=8, sequences=2)
    trained = train(LSTMNetwork(config), background, Recipe(steps=1, val_ways=5, val_episodes=2), validation=validation)
    assert trained.accuracy is not None


def test_a_seed_gives_the_same_weights(noise: Examples) -> None:
    background, validation = noise.split(0.5)
    recipe = Recipe(steps=12, average=0.9, val_ways=5, val_episodes=20)
    first, again, other = (
        train(tiny(), background, recipe.model_copy(update={"seed": seed}), validation=validation).method
        for seed in (1, 1, 2)
    )
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_resumed_equals_uninterrupted(
    signalled: signal.Signals, noise: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by a signal in the very middle of a step, between the weights' update and the average's."""
    background, validation = noise.split(0.5)
    recipe = Recipe(steps=30, schedule="cosine", average=0.9, val_ways=5, val_episodes=20, validations=7)
    whole = train(tiny(), background, recipe, validation=validation)

    step = torch.optim.Adam.step
    taken = 0

    def stopping(optimizer: torch.optim.Adam, closure: None = None) -> None:
        nonlocal taken
        step(optimizer, closure)
        taken += 1
        if taken == 17:
            os.kill(os.getpid(), signalled)

    checkpoint = tmp_path / "run.checkpoint"
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(torch.optim.Adam, "step", stopping)
    with pytest.raises(Interrupted, match=r"17 steps.*--resume"):
        train(tiny(), background, recipe, validation=validation, checkpoint=checkpoint)
    monkeypatch.undo()
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(TrainingError, match="--resume"):
        train(tiny(), background, recipe, validation=validation, checkpoint=checkpoint)
    resumed = train(tiny(seed=5), background, recipe, validation=validation, checkpoint=checkpoint, resume=True)
    assert resumed.steps == 30
    assert torch.equal(weights(resumed.method), weights(whole.method))
    assert [each["accuracy"] for each in resumed.history] == [each["accuracy"] for each in whole.history]
    assert len(whole.history) == 7


_KILLED = """
import sys
from pathlib import Path
import numpy as np, torch
from lowshot.data import Examples, ImageForm
from lowshot.learn.methods.prototypical import PrototypicalConfig, PrototypicalNetworks
from lowshot.learn.recipe import Recipe
from lowshot.learn.trainer import train
items = np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1)).astype(np.uint8)
noise = Examples(items, np.repeat(np.arange(20), 3), tuple(map(str, range(20))))
torch.manual_seed(0)
method = PrototypicalNetworks(PrototypicalConfig(filters=8, ways=10, queries=2))
print("ready", flush=True)
train(method, noise, Recipe(steps=int(sys.argv[2]), checkpoint_every=1e-9), checkpoint=Path(sys.argv[1]), resume=True)
print(float(torch.cat([p.detach().flatten() for p in method.parameters()]).double().sum()))
"""


def test_kill_minus_9_then_resume_gives_the_same_weights(tmp_path: Path) -> None:
    def run(name: str, steps: int = 400) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _KILLED, str(tmp_path / name), str(steps)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    killed = run("killed")
    assert killed.stdout is not None and killed.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 30
    while not (tmp_path / "killed").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert (tmp_path / "killed").exists(), "killed before the end"
    resumed, whole = (run(name).communicate()[0] for name in ("killed", "whole"))
    assert resumed == whole


def test_validated_best_weights_are_kept(noise: Examples) -> None:
    background, validation = noise.split(0.5)
    # a learning rate that destroys what was learned: the best validation is not the last
    recipe = Recipe(steps=25, optimizer="sgd", lr=30.0, momentum=0.0, val_ways=5, val_episodes=50, validations=1000)
    trained = train(tiny(), background, recipe, validation=validation)
    accuracies = [each["accuracy"] for each in trained.history]
    assert trained.accuracy == max(accuracies) > accuracies[-1]
    with precision(recipe, torch.device("cpu"))():
        again = Validator(validation, recipe, torch.device("cpu")).accuracy(trained.method)
    assert again == max(accuracies)


def test_validation_classes_must_be_new(noise: Examples) -> None:
    with pytest.raises(DataError, match="pattern 0"):
        train(tiny(), noise, Recipe(steps=1), validation=noise.only(["pattern 0", "pattern 1"]))


def test_resuming_another_run_is_refused(noise: Examples, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.checkpoint"
    _leave_checkpoint(noise, checkpoint)
    with pytest.raises(TrainingError, match="recipe"):
        train(tiny(), noise, Recipe(steps=4, lr=0.5), checkpoint=checkpoint, resume=True)
    checkpoint.write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="remove it"):
        train(tiny(), noise, Recipe(steps=4), checkpoint=checkpoint, resume=True)


def _leave_checkpoint(noise: Examples, path: Path) -> None:
    train(tiny(), noise, Recipe(steps=4, checkpoint_every=1e-9), checkpoint=path)


def test_a_loss_that_is_no_number_stops_the_run(noise: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        PrototypicalNetworks, "loss", lambda self, batch: self.embed(batch.support.flatten(0, 2)).sum() * float("nan")
    )
    with pytest.raises(TrainingError, match="not a number"):
        train(tiny(), noise, Recipe(steps=4))


def test_the_bar_shows_loss_and_validation(noise: Examples) -> None:
    background, validation = noise.split(0.5)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=140)
    train(tiny(), background, Recipe(steps=12, val_ways=5, val_episodes=5), validation=validation, console=console)
    assert "loss" in screen.getvalue() and "validation" in screen.getvalue()


def test_minutes_end_the_run(noise: Examples) -> None:
    start = time.monotonic()
    trained = train(tiny(), noise, Recipe.model_validate({"minutes": 0.02}))
    assert trained.steps > 0 and 1.0 < time.monotonic() - start < 20


_TWO = """
import sys
from pathlib import Path
import torch
from lowshot.encoder import Encoder
from lowshot.learn.processes import processes
from lowshot.learn.run import train_encoder
torch.set_num_threads(1)
settings = {"steps": 6, "filters": 8, "ways": 4, "queries": 2, "val_episodes": 10, "lr": 0.01}
with processes() as rank:
    trained = train_encoder("digits?classes=0:0.5", "prototypical", Path(sys.argv[1]), settings=settings,
                                  validation="digits?classes=0.5:1")
    total = float(torch.cat([p.detach().flatten() for p in trained.method.parameters()]).double().sum())
    sys.stdout.write(f"{total}\\n")  # in one piece: two processes share the pipe
"""


@pytest.mark.slow
def test_two_processes_learn_one_encoder(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(_TWO)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

    def run(*arguments: object) -> list[str]:
        command = [sys.executable, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    sums = run(*torchrun, script, tmp_path / "both.onnx")
    assert len(sums) == 2 and sums[0] == sums[1], "both end with the weights that the first one validated"
    card = Encoder.load(tmp_path / "both.onnx").card
    assert card.config["steps"] == 6 and 0 <= card.config["validation"] <= 1
    assert run(script, tmp_path / "alone.onnx")[0] != sums[0], "the second process must bring episodes of its own"


def test_distances_keep_their_precision_under_autocast() -> None:
    torch.manual_seed(0)
    query, reference = torch.randn(1, 20, 64) * 5, torch.randn(1, 30, 64) * 5
    for distance in ("euclidean", "cosine", "l1"):
        exact = distances(query, reference, distance)  # type: ignore[arg-type]
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(distances(query, reference, distance), exact)  # type: ignore[arg-type]
