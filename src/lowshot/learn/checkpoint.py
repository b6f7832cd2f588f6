"""The state of a training run on disk: safetensors and JSON, never a pickle; written all or nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lowshot.disk import write_atomically
from lowshot.errors import TrainingError


@dataclass
class Progress:
    """Where a run stands. ``settings`` tells apart runs that must not be mixed."""

    settings: dict[str, Any]
    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_step: int = 0
    validations: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(
    path: Path,
    progress: Progress,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
) -> None:
    """Write the run's state. ``modules`` by name: the method and, where there is one, its running average."""
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    tensors |= {f"best/{key}": value for key, value in best.items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{key}": value for key, value in state.items() if isinstance(value, Tensor)}
    content = save(
        {key: value.contiguous() for key, value in tensors.items()}, {"progress": json.dumps(asdict(progress))}
    )
    write_atomically(path, content)


def load_checkpoint(
    path: Path, settings: dict[str, Any], modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Tensor]]:
    """Restore a run in place; returns where it stands and its best weights so far.

    Raises TrainingError where the file is damaged or was written by a run with other settings.
    """
    try:
        with safe_open(path, framework="pt") as file:
            progress = Progress(**json.loads(file.metadata()["progress"]))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise TrainingError(f"{path} is no checkpoint that can be read ({error}): remove it and train anew") from None
    if different := _different(progress.settings, settings):
        name, before, now = different
        raise TrainingError(
            f"{path} was written with {name} {before!r}, not {now!r}: resume with the same settings, or remove it to "
            "train anew"
        )
    for name, module in modules.items():
        module.load_state_dict(_below(tensors, name))
    optimizer.load_state_dict({**optimizer.state_dict(), "state": _optimizer_state(tensors)})
    return progress, _below(tensors, "best")


def _different(before: Any, now: Any, name: str = "") -> tuple[str, Any, Any] | None:
    """The first setting that differs: its name, and both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = dict.fromkeys([*now, *before])
        each = (_different(before.get(key), now.get(key), f"{name}.{key}".lstrip(".")) for key in names)
        return next((found for found in each if found), None)
    return None if before == now else (name, before, now)


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}


def _optimizer_state(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _below(tensors, "optimizer").items():
        number, name = key.split("/")
        state.setdefault(int(number), {})[name] = value
    return state
