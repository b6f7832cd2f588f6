"""How training goes, whatever the method: budget, optimizer, schedule, distortions, validation."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lowshot.learn.augment import HANDWRITING, Distortion


class Recipe(BaseModel):
    """The trainer's settings.

    Attributes:
        steps: optimizer steps; or
        minutes: wall-clock budget, which then counts instead of ``steps``. Only a budget of steps makes the same weights of
            the same seed.
        seed: of weights, batches and distortions.
        optimizer, lr: and its learning rate.
        weight_decay: pulls weights towards 0.
        schedule: of the learning rate: ``constant``; ``cosine`` to zero over the budget; ``halve`` every ``halve_every``
            steps (Snell 2017); ``decay`` by the factor ``decay`` every ``decay_every`` steps (Koch 2015).
        halve_every, decay, decay_every: see ``schedule``.
        momentum: of ``sgd`` and ``rmsprop``.
        clip: largest norm of the gradient; 0 for any.
        embedding_norm: weight of the mean squared feature in the loss, see :mod:`lowshot.learn.regularize`; for methods that
            have a network of features.
        average: decay of a running average of the weights, which is what is validated and kept; 0 for none.
        distortion: of the images, see :mod:`lowshot.learn.augment`.
        precision: ``auto`` is bfloat16 where the processor computes with it, otherwise float32.
        validations: how often to validate, evenly over the budget. The best validated weights are kept.
        val_ways, val_shots, val_episodes: the validation episodes; ways are at most the validation classes.
        val_within: attribute whose values an episode must not mix (``alphabet``), for validation as hard as Lake's trials.
        checkpoint_every: seconds between checkpoints.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=2000, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0, ge=0)
    schedule: Literal["constant", "cosine", "halve", "decay"] = "constant"
    halve_every: int = Field(default=2000, ge=1)
    decay: float = Field(default=0.99, gt=0, le=1)
    decay_every: int = Field(default=1000, ge=1)
    clip: float = Field(default=0, ge=0)
    embedding_norm: float = Field(default=0, ge=0)
    average: float = Field(default=0, ge=0, lt=1)
    distortion: Distortion = Distortion()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    validations: int = Field(default=20, ge=1)
    val_ways: int = Field(default=20, ge=2)
    val_shots: int = Field(default=1, ge=1)
    val_episodes: int = Field(default=400, ge=1)
    val_within: str | None = None
    checkpoint_every: float = Field(default=60, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _one_budget(cls, values: dict[str, object]) -> dict[str, object]:
        if values.get("steps") is not None and values.get("minutes") is not None:
            raise ValueError("give a budget of steps or of minutes, not both")
        return values

    def rate(self, step: int, progress: float) -> float:
        """Learning rate at a step, ``progress`` (0–1) of the budget being spent."""
        match self.schedule:
            case "cosine":
                return self.lr * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
            case "halve":
                return self.lr * 0.5 ** (step // self.halve_every)
            case "decay":
                return self.lr * self.decay ** (step // self.decay_every)
        return self.lr


CPU: dict[str, Any] = {
    **{"minutes": 10, "optimizer": "adamw", "lr": 2e-3, "schedule": "cosine", "average": 0.998},
    "distortion": HANDWRITING.model_dump(),
}
"""What the ``cpu`` presets share; chosen on alphabets held out of Omniglot's background set."""
