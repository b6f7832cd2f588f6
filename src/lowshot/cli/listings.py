"""``lowshot methods``, ``datasets`` and ``encoders``: what there is, by name."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowshot.cli.encoders import training_room
from lowshot.cli.tables import print_table

if TYPE_CHECKING:
    from lowshot.learn.method import MethodConfig


def methods(
    name: Annotated[str | None, typer.Argument(help="One of them, to list its settings.  [default: list all]")] = None,
) -> None:
    """List the learning methods, or the settings of one."""
    room = training_room("methods")
    if name is not None:
        print_table(("setting", "values", "paper", "cpu", "meaning"), _settings(room.find_method(name)))
        return
    rows = [
        (
            each.record.name,
            f"{each.record.title} ({each.record.paper} {each.record.year})",
            each.record.samples,
            ", ".join(each.presets),
            _encoder(each.Config()),
        )
        for each in room.METHODS
    ]
    print_table(("name", "what", "learns from", "presets", "encoder"), rows)


def _encoder(config: MethodConfig) -> str:
    if config.obstacle:
        return f"no: {config.obstacle}"
    return f"yes, {config.approximation}" if config.approximation else "yes"


def _settings(method: Any) -> list[tuple[str, ...]]:
    """A row a setting, of the method and then of its training."""
    presets = [training_room().configure(method, preset, {}) for preset in ("paper", "cpu")]
    return [
        (
            name,
            _values(schema),
            *(_shown(getattr(preset[part], name)) for preset in presets),
            _meanings(type(presets[0][part])).get(name, ""),
        )
        for part in (0, 1)
        for name, schema in type(presets[0][part]).model_json_schema()["properties"].items()
    ]


def _values(schema: dict[str, Any]) -> str:
    """What a setting can be, from its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(map(_values, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(map(str, schema.get("enum", [schema.get("const")])))
    parts = {"Distortion": "distortion.rotate=10", "SoundForm": "sound.seconds=2"}
    return str(schema.get("type") or f"parts: --set {parts[schema['$ref'].rpartition('/')[2]]}")


def _shown(value: Any) -> str:
    if hasattr(value, "model_dump"):
        return (
            ", ".join(f"{part}={number:g}" for part, number in value.model_dump(exclude_defaults=True).items()) or "–"
        )
    return "–" if value is None else str(value)


def _meanings(config: type) -> dict[str, str]:
    """What the docstrings of a configuration and its bases say of each attribute."""
    found: dict[str, str] = {}
    for each in config.__mro__:
        _, _, entries = inspect.cleandoc(each.__dict__.get("__doc__") or "").partition("\nAttributes:\n")
        for names, text in re.findall(r"^ {4}([\w, ]+): (.*(?:\n {8}.*)*)", entries, re.MULTILINE):
            plain = re.sub(r":\w+:`~?(?:[\w.]*\.)?([^`]+)`|``", r"\1", " ".join(text.split()))
            found |= {name: plain for name in names.split(", ") if name not in found}
    return found


def datasets() -> None:
    """List the named data sets."""
    from lowshot import data

    rows = [(name, about) for name, about in data.datasets().items()]
    print_table(
        ("name", "what"),
        [*rows, ("FOLDER, FILE.zip, FILE.csv", "class folders, a zip of them, a table path,label[,attribute…]")],
    )


def encoders() -> None:
    """List the named encoders."""
    from lowshot.encoder import named_encoders

    print_table(("name", "what"), list(named_encoders().items()))
