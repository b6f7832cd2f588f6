"""``lowshot methods``, ``datasets`` and ``encoders``: what there is, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowshot.cli.tables import print_table
from lowshot.errors import ConfigError

if TYPE_CHECKING:
    from lowshot.learn.method import MethodConfig


def methods() -> None:
    """List the learning methods."""
    try:
        from lowshot.learn.methods import METHODS
    except ImportError as error:
        raise ConfigError(f"the methods need {error.name}: pip install 'lowshot[train]'") from None
    rows = [
        (
            each.record.name,
            f"{each.record.title} ({each.record.paper} {each.record.year})",
            each.record.samples,
            ", ".join(each.presets),
            _encoder(each.Config()),
        )
        for each in METHODS
    ]
    print_table(("name", "what", "learns from", "presets", "encoder"), rows)


def _encoder(config: MethodConfig) -> str:
    if config.obstacle:
        return f"no: {config.obstacle}"
    return f"yes, {config.approximation}" if config.approximation else "yes"


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
