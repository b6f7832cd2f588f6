"""What every protocol's result has in common."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Report:
    """The figures of one evaluation.

    Attributes:
        seconds: how long it took in all.
        embed_seconds: the part of it in which the encoder ran; 0 where features were given.
    """

    seconds: float
    embed_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, ready for JSON."""
        return asdict(self)


def percent(share: float, interval: float | None = None) -> str:
    """A fraction and the half width of its interval, for people: ``98.81 ± 0.09 %``."""
    return f"{100 * share:.2f} %" if interval is None else f"{100 * share:.2f} ± {100 * interval:.2f} %"
