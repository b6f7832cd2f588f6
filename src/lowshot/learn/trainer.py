"""One trainer for every method: a background set in, trained weights out.

A step's batch and distortions depend on the seed and the step's number alone, so a run that was killed goes on from
its checkpoint to the weights it would have had. On several processes (torchrun) each draws episodes of its own and
the gradients are averaged.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from lowshot.data import EpisodeSampler, Examples
from lowshot.errors import ConfigError, DataError, TrainingError
from lowshot.learn.batches import Batches, to_device, to_network
from lowshot.learn.checkpoint import Progress, load_checkpoint, save_checkpoint
from lowshot.learn.method import Method, MethodConfig
from lowshot.learn.processes import Stop, processes, stoppable
from lowshot.learn.recipe import Recipe
from lowshot.learn.regularize import feature_length, watch

_EMBED_BATCH = 512
_PICTURES = MethodConfig()  # of any method that learns from pictures
_SHOW_EVERY = 10  # steps between looks at the loss: each look waits for the device


@dataclass(frozen=True)
class Trained:
    """A trained method and the story of its training: ``history`` has step, seconds, loss, accuracy of each validation."""

    method: Method[Any]
    steps: int
    seconds: float
    accuracy: float | None
    history: tuple[dict[str, float], ...]


class Interrupted(TrainingError):
    """Stopped by Ctrl-C or a signal; a checkpoint was written and ``--resume`` goes on from there."""


def train(
    method: Method[Any],
    background: Examples,
    recipe: Recipe,
    *,
    validation: Examples | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    console: Console | None = None,
) -> Trained:
    """Train a method on the background set; the method comes back with its best (validated) or last weights.

    Args:
        validation: examples of classes that are **not** in the background set; None to keep the last weights.
        checkpoint: file for the run's state, the caller's to remove once the weights are safe. None: the run cannot be
            resumed.
        resume: go on from the checkpoint if it is there.
        console: where the progress bar goes; None for no bar.

    Raises:
        DataError: a validation class is also a background class.
        ConfigError: the recipe asks for something that the method does not have.
        TrainingError: the checkpoint is of a run with other settings, or is there though ``resume`` was not asked for; or
            the loss is no longer a number.
        Interrupted: after Ctrl-C or SIGTERM, once the step is complete and the checkpoint written.
    """
    if validation is not None and (shared := set(background.classes) & set(validation.classes)):
        raise DataError(
            f"class {min(shared)!r} is in both the background and the validation set: hold out whole classes"
        )
    if recipe.embedding_norm and not hasattr(method, "network"):
        raise ConfigError(f"{method.record.title} has no network of features: leave embedding_norm out")
    if checkpoint is not None and checkpoint.is_file() and not resume:
        raise TrainingError(f"{checkpoint} holds a run that was stopped: go on with --resume, or remove it")
    with processes() as rank, stoppable() as stop:
        run = _Run(method, background, recipe, validation, checkpoint if rank == 0 else None, rank)
        if checkpoint is not None and checkpoint.is_file():
            run.load(checkpoint)
        with _progress_bar(console if rank == 0 else None, method.record.title) as show:
            return run.go(show, stop)


class _Run:
    """The state of one run, in one process."""

    def __init__(
        self,
        method: Method[Any],
        background: Examples,
        recipe: Recipe,
        validation: Examples | None,
        checkpoint: Path | None,
        rank: int,
    ) -> None:
        gpu = torch.cuda.is_available()
        self.device = torch.device("cuda", rank % torch.cuda.device_count()) if gpu else torch.device("cpu")
        self.method = method.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.rank, self.checkpoint = recipe, rank, checkpoint
        self.module: nn.Module = method
        if torch.distributed.is_initialized():
            self.module = nn.parallel.DistributedDataParallel(method)
        self.average = _running_average(method, recipe.average) if recipe.average else None
        self.optimizer = _optimizer(method, recipe)
        self.batches = Batches(background, method, recipe.distortion, self.device)
        config = method.config
        self.validator = Validator(validation, recipe, self.device, config) if validation is not None else None
        self.autocast = precision(recipe, self.device)
        self.progress = Progress(
            settings={
                "method": method.record.name,
                "config": method.config.model_dump(mode="json"),
                "recipe": recipe.model_dump(mode="json", exclude={"checkpoint_every"}),
                "background": background.fingerprint,
            }
        )
        self.best: dict[str, Tensor] = {}
        self.loss = torch.zeros(())

    def load(self, checkpoint: Path) -> None:
        self.progress, self.best = load_checkpoint(checkpoint, self.progress.settings, self._modules(), self.optimizer)

    def save(self) -> None:
        if self.checkpoint is not None:
            self._look()
            save_checkpoint(self.checkpoint, self.progress, self._modules(), self.optimizer, self.best)

    def go(self, show: Callable[[float, str], None], stop: Stop) -> Trained:
        """Train until the budget is spent."""
        start = time.monotonic() - self.progress.seconds
        saved = self.progress.seconds
        share = self._share()
        while share < 1:
            if stop.asked:
                self.save()
                rest = f"; --resume goes on from {self.checkpoint}" if self.checkpoint else ""
                raise Interrupted(f"stopped after {self.progress.step} steps{rest}")
            self._step(share)
            self.progress.seconds = time.monotonic() - start
            share = self._share()
            if int(min(share, 1.0) * self.recipe.validations) > self.progress.validations:
                self.progress.validations = int(min(share, 1.0) * self.recipe.validations)
                self._validate()
            if share < 1 and self.progress.step % _SHOW_EVERY == 0:
                self._look()
                show(share, self._facts())
            if self.progress.seconds - saved >= self.recipe.checkpoint_every:
                self.save()
                saved = self.progress.seconds
        self._look()
        show(1.0, self._facts())
        return self._finish()

    def _share(self) -> float:
        """Share of the budget that is spent; the first process decides for all."""
        minutes = self.recipe.minutes
        share = self.progress.step / self.recipe.steps if minutes is None else self.progress.seconds / (60 * minutes)
        if minutes is not None and torch.distributed.is_initialized():
            agreed = torch.tensor(share, dtype=torch.float64, device=self.device)
            torch.distributed.broadcast(agreed, 0)
            share = float(agreed)
        return share

    def _step(self, share: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.progress.step, share)
        self.module.train()
        batch = self.batches.draw(self.recipe.seed, self.progress.step, self.rank)
        with self.autocast():
            loss = self._loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.method.parameters(), self.recipe.clip)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.method)
        self.loss = loss.detach()
        self.progress.step += 1

    def _loss(self, batch: Any) -> Tensor:
        if not self.recipe.embedding_norm:
            return cast("Tensor", self.module(batch))
        with watch(cast("nn.Module", self.method.network)) as features:
            loss: Tensor = self.module(batch)
        return loss + self.recipe.embedding_norm * feature_length(features)

    def _look(self) -> None:
        """Wait for the loss. Raises TrainingError where it is no number."""
        if not torch.isfinite(self.loss):
            raise TrainingError(f"the loss is not a number at step {self.progress.step}: lower lr, or set clip=1")

    def _validate(self) -> None:
        if self.validator is None or self.rank:
            return
        kept = self._kept()
        with self.autocast():
            accuracy = self.validator.accuracy(kept)
        facts = {"step": self.progress.step, "seconds": round(self.progress.seconds, 1)}
        self.progress.history.append({**facts, "loss": float(self.loss), "accuracy": accuracy})
        if accuracy >= self.progress.best:
            self.progress.best, self.progress.best_step = accuracy, self.progress.step
            self.best = {key: value.detach().clone() for key, value in kept.state_dict().items()}

    def _finish(self) -> Trained:
        self.method.load_state_dict(self.best or self._kept().state_dict())
        if torch.distributed.is_initialized():  # only the first process knows which weights were best
            for value in self.method.state_dict().values():
                torch.distributed.broadcast(value, 0)
        self.method.eval()
        best = self.progress.best if self.progress.history else None
        return Trained(self.method, self.progress.step, self.progress.seconds, best, tuple(self.progress.history))

    def _kept(self) -> Method[Any]:
        return self.method if self.average is None else cast("Method[Any]", self.average.module)

    def _modules(self) -> dict[str, nn.Module]:
        return {"method": self.method} | ({} if self.average is None else {"average": self.average})

    def _facts(self) -> str:
        found = ""
        if self.progress.history:
            found = f", validation {self.progress.history[-1]['accuracy']:.2%} ({self.progress.best:.2%} best)"
        return f"step {self.progress.step}, loss {float(self.loss):.3f}{found}"


class Validator:
    """Accuracy on the same episodes of held-out classes each time; every image is embedded once.

    Episodes have the recipe's ways, or as many as there are classes, or as a method of the configuration can answer.
    """

    def __init__(
        self, examples: Examples, recipe: Recipe, device: torch.device, config: MethodConfig = _PICTURES
    ) -> None:
        within = examples.of_classes(recipe.val_within) if recipe.val_within else None
        sampler = EpisodeSampler(examples.labels, within=within, class_names=examples.classes)
        ways = min(recipe.val_ways, len(examples.classes), config.most_ways or recipe.val_ways)
        queries = max(1, min(5, int(examples.counts.min()) - recipe.val_shots))
        episodes = sampler.draw(recipe.val_episodes, ways, recipe.val_shots, queries, seed=recipe.seed)
        self.items = to_device(examples.items, config, device)
        self.support, self.query = (torch.from_numpy(each).to(device) for each in (episodes.support, episodes.query))
        self.answer_M = torch.arange(ways, device=device).repeat_interleave(queries)

    @torch.no_grad()
    def accuracy(self, method: Method[Any]) -> float:
        """Share of right answers, 0–1."""
        method.eval()
        features = embed_all(method, self.items)
        right = [
            (method.scores(features[support], features[query].flatten(1, 2)).argmax(-1) == self.answer_M).float().mean()
            for support, query in zip(self.support.split(100), self.query.split(100), strict=True)
        ]
        return float(torch.stack(right).mean())


@torch.no_grad()
def embed_all(method: Method[Any], items_NCHW: Tensor) -> Tensor:
    """Features of packed items, in batches."""
    return torch.cat([method.embed(to_network(chunk)) for chunk in items_NCHW.split(_EMBED_BATCH)])


def precision(recipe: Recipe, device: torch.device) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """Autocast to bfloat16 where that is asked for, or where the processor has instructions for it."""
    wanted = recipe.precision == "bfloat16" or (recipe.precision == "auto" and _computes_bfloat16(device))
    return lambda: torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return any(getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))


def _optimizer(method: Method[Any], recipe: Recipe) -> torch.optim.Optimizer:
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(method.parameters(), recipe.lr, weight_decay=recipe.weight_decay)
        case "adamw":
            return torch.optim.AdamW(method.parameters(), recipe.lr, weight_decay=recipe.weight_decay)
        case "sgd":
            return torch.optim.SGD(
                method.parameters(), recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
            )
        case "rmsprop":
            return torch.optim.RMSprop(
                method.parameters(),
                recipe.lr,
                alpha=0.95,  # Graves 2013
                momentum=recipe.momentum,
                weight_decay=recipe.weight_decay,
            )
        case "adagrad":
            return torch.optim.Adagrad(method.parameters(), recipe.lr, weight_decay=recipe.weight_decay)


def _running_average(method: Method[Any], decay: float) -> AveragedModel:
    """Weights averaged over some 1 / (1 - decay) steps, over fewer in the beginning so that the start is soon forgotten."""

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], number: Tensor | int) -> None:
        steps = torch.as_tensor(number, dtype=torch.float32)  # stays on the device: nothing waits for it
        share = 1 - ((1 + steps) / (10 + steps)).clamp_max(decay)
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, share.to(mean.dtype))
            else:  # counters
                mean.copy_(value)

    return AveragedModel(method, multi_avg_fn=update, use_buffers=True)


class _Lines:
    """Progress for a log file: at most one line in ten seconds, and the last one."""

    def __init__(self, console: Console) -> None:
        self.console, self.shown = console, time.monotonic()

    def __call__(self, share: float, facts: str) -> None:
        if share >= 1 or time.monotonic() - self.shown > 10:
            self.shown = time.monotonic()
            self.console.print(f"{share:.0%}, {facts}", highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _progress_bar(console: Console | None, title: str) -> Iterator[Callable[[float, str], None]]:
    """A function that shows the share done and a line of facts."""
    if console is None:
        yield lambda share, facts: None
        return
    if not console.is_terminal:  # a log: a line now and then
        yield _Lines(console)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[facts]}"),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task(title, total=1.0, facts="")
        yield lambda share, facts: bar.update(task, completed=min(share, 1.0), facts=facts)
