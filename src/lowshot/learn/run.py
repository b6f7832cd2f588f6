"""A whole training run: settings, data, training, encoder file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ValidationError
from rich.console import Console

from lowshot.data import EpisodeSampler, Examples, Modality, load, modality_of
from lowshot.encoder import Card
from lowshot.errors import ClassTooSmall, ConfigError, DataError
from lowshot.learn.augment import SPEECH
from lowshot.learn.batches import INK, WAVE
from lowshot.learn.export import export
from lowshot.learn.memory import keep_freed_memory
from lowshot.learn.method import Method, MethodConfig
from lowshot.learn.methods import find_method
from lowshot.learn.processes import processes
from lowshot.learn.recipe import Recipe
from lowshot.learn.saved import SUFFIX, Story, save_method
from lowshot.learn.trainer import Trained, train

ENCODER = ".onnx"
HELD_OUT = 0.1
"""Share of the background classes that validate a run for which no validation data are named."""
SOUND: dict[str, dict[str, Any]] = {
    "method": {"sound": {}, "channels": 1},
    "recipe": {"distortion": SPEECH.model_dump()},
}
"""Settings of a method and its recipe that learn from sounds, whatever the preset."""

Settings = Mapping[str, Any]
ModelT = TypeVar("ModelT", bound=BaseModel)


def train_encoder(
    data: str,
    method: str,
    out: Path,
    *,
    preset: str = "cpu",
    settings: Settings | None = None,
    validation: str | None = None,
    resume: bool = False,
    command: str = "",
    console: Console | None = None,
) -> Trained:
    """Learn from a background set and write what was learned.

    Under torchrun every process learns and the first one writes. Frees memory as glibc does not by default, for this
    process and for good, see :mod:`lowshot.learn.memory`.

    Args:
        data: the background set, see :func:`lowshot.data.load`.
        method: a method's name.
        out: the file. ``.onnx`` is an encoder; ``.safetensors`` keeps the method as it is, for ``lowshot evaluate``.
        settings: of the method or the recipe by name, over the preset's; ``distortion.shear`` for one inside another.
        validation: data of other classes; ``none`` to learn from all classes and keep the last weights; None to hold out a
            tenth of the background classes.
        resume: go on from the checkpoint that a stopped run left beside ``out``.

    Raises:
        ConfigError: an unknown method, preset or setting, or a value out of range; or an encoder file is asked of a method
            that computes nothing of a support example alone.
        DataError, TrainingError: see :func:`lowshot.data.load` and :func:`lowshot.learn.trainer.train`.
    """
    chosen = find_method(method)
    config, recipe = configure(chosen, preset, settings or {}, modality_of(data))
    check_out(out)
    if config.obstacle and out.suffix != SUFFIX:
        raise ConfigError(
            f"{chosen.record.title} cannot be an encoder: {config.obstacle}. Write --out {out.with_suffix(SUFFIX).name}: "
            "`lowshot evaluate` takes that, too"
        )
    background, held_out = load_split(data, validation, config)
    torch.manual_seed(recipe.seed)
    learner = chosen(chosen.for_background(config, background))
    _check_draw(learner, background)
    checkpoint = checkpoint_of(out)
    keep_freed_memory()
    with processes() as rank:
        trained = train(
            learner,
            background,
            recipe,
            validation=held_out,
            checkpoint=checkpoint,
            resume=resume,
            console=console,
        )
        story = describe(trained, recipe, out.stem, data, background, command)
        if rank == 0:
            if out.suffix == SUFFIX:
                save_method(out, trained.method, story)
            else:
                export(trained.method, card_of(trained.method, story), out, sample=held_out or background)
            checkpoint.unlink(missing_ok=True)
    return trained


def _check_draw(method: Method[Any], background: Examples) -> None:
    """Raise ConfigError where the background set is too small for one step."""
    try:
        method.draw(EpisodeSampler(background.labels, class_names=background.classes), (0,))
    except (ClassTooSmall, ConfigError) as error:
        sizes = [name for name in ("ways", "shots", "queries", "items") if hasattr(method.config, name)]
        hint = f"; ask for fewer with --set {sizes[0]}=… ({', '.join(sizes)})" if sizes else ""
        raise ConfigError(f"the background set is too small for this method: {error}{hint}") from None


def check_out(out: Path) -> None:
    """Raise DataError where a file cannot be written, before hours are spent on what should be in it.

    Raises ConfigError where its name does not say what is to be in it.
    """
    if out.suffix not in (ENCODER, SUFFIX):
        raise ConfigError(
            f"{out}: name it {out.stem}{ENCODER} for an encoder, {out.stem}{SUFFIX} for the method as it is"
        )
    if not out.parent.is_dir():
        raise DataError(f"{out} cannot be written: there is no folder {out.parent}")
    if out.exists() and not out.is_file():
        raise DataError(f"{out} cannot be written: it is no file")
    if not os.access(out.parent, os.W_OK):
        raise DataError(f"{out} cannot be written: the folder {out.parent} is read-only")


def describe(trained: Trained, recipe: Recipe, name: str, data: str, background: Examples, command: str) -> Story:
    """The story of a trained method."""
    method = trained.method
    facts: dict[str, Any] = {"method": method.config.model_dump(mode="json"), "recipe": recipe.model_dump(mode="json")}
    facts |= {"hardware": hardware(), "steps": trained.steps, "seconds": round(trained.seconds, 1)}
    if trained.accuracy is not None:
        facts["validation"] = round(trained.accuracy, 4)
    return Story(
        name=name,
        method=method.record.name,
        config=facts,
        background=data,
        background_fingerprint=background.fingerprint,
        command=command,
    )


def card_of(method: Method[Any], story: Story) -> Card:
    """The card of a trained method's encoder."""
    parts = method.exported()
    config = method.config
    mean, std = WAVE if config.sound else INK
    return Card(
        modality=config.form.modality,
        form=config.form,
        mean=(mean,) * config.channels,
        std=(std,) * config.channels,
        features=parts.features,
        distance=parts.distance,
        negative=parts.negative,
        compare=parts.compare,
        **story.model_dump(),
    )


def hardware() -> str:
    """What a run trains on, for the card: a second there is not a second elsewhere."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} CPU thread(s)"


def checkpoint_of(out: Path) -> Path:
    """Where the run that makes ``out`` keeps its state until it is complete."""
    return out.with_name(f"{out.name}.checkpoint")


def configure(
    method: type[Method[Any]], preset: str, settings: Settings, modality: Modality = "image"
) -> tuple[MethodConfig, Recipe]:
    """The method's configuration and the recipe: the preset's, with ``settings`` over it.

    For sounds, what :data:`SOUND` says replaces what the preset says. Raises ConfigError.
    """
    if preset not in method.presets:
        raise ConfigError(f"{method.record.name} has no preset {preset!r}; there are {', '.join(method.presets)}")
    chosen = {part: dict(values) for part, values in method.presets[preset].items()}
    if modality == "text":
        raise ConfigError(
            "the methods here learn from pictures and sounds, not from texts: use an encoder that has a name"
        )
    if modality == "sound":
        chosen = {part: values | SOUND[part] for part, values in chosen.items()}
    known = {"method": method.Config.model_fields, "recipe": Recipe.model_fields}
    if {"steps", "minutes"} & set(settings):  # one budget replaces the preset's other
        chosen["recipe"] = {key: value for key, value in chosen["recipe"].items() if key not in ("steps", "minutes")}
    for key, value in settings.items():
        head, _, rest = key.partition(".")
        part = next((name for name, fields in known.items() if head in fields), None)
        if part is None:
            names = sorted(name for fields in known.values() for name in fields)
            raise ConfigError(f"{method.record.name} has no setting {head!r}; there are {', '.join(names)}")
        within = chosen[part].get(head, {}) if rest else {}
        if not isinstance(within, dict):
            raise ConfigError(f"{head} has no parts: write {head}={value}")
        chosen[part][head] = {**within, rest: value} if rest else value
    return _validated(method.Config, chosen["method"]), _validated(Recipe, chosen["recipe"])


def load_split(data: str, validation: str | None, config: MethodConfig) -> tuple[Examples, Examples | None]:
    """Background and validation examples in the network's form; see :func:`train_encoder`."""
    background = load(data, config.form)
    if len(background.classes) < 2:
        raise DataError(
            f"{data} has one class, {background.classes[0]!r}, and nothing to tell it from: give two or more"
        )
    if validation is None:
        return hold_out(background, HELD_OUT)
    return background, None if validation == "none" else load(validation, config.form)


def hold_out(examples: Examples, share: float) -> tuple[Examples, Examples]:
    """Split by class; the rotations of one character, or both directions of one word, stay on one side."""
    bases = np.array([re.sub(r"/(rot\d{3}|forward|backward)$", "", name) for name in examples.classes])
    names = np.unique(bases)
    kept = round(len(names) * (1 - share))
    if not 2 <= kept < len(names) - 1:
        raise DataError(
            f"{len(names)} classes are too few to hold some out: name validation data with --val, or --val none"
        )
    chosen = np.isin(bases, np.random.default_rng(0).permutation(names)[:kept])
    return examples.take(chosen[examples.labels]), examples.take(~chosen[examples.labels])


def _validated(model: type[ModelT], values: Settings) -> ModelT:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"there is no setting {where}: see `lowshot methods NAME`") from None
        raise ConfigError(f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}") from None
