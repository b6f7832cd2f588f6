"""The zero-shot recognizers by name."""

from __future__ import annotations

from lowshot.errors import ConfigError
from lowshot.recognize.dap import DirectAttributePrediction
from lowshot.recognize.eszsl import ESZSL
from lowshot.recognize.exemplars import Exemplars
from lowshot.recognize.semantic_codes import SemanticCodes
from lowshot.recognize.zero_shot import ZeroShot

_RECOGNIZERS: dict[str, type[ZeroShot]] = {
    "semantic-codes": SemanticCodes,
    "dap": DirectAttributePrediction,
    "eszsl": ESZSL,
    "exemplars": Exemplars,
}
NAMES = tuple(_RECOGNIZERS)


def zero_shot_named(name: str) -> ZeroShot:
    """One that has learned nothing yet: ``semantic-codes``, ``dap``, ``eszsl`` or ``exemplars``.

    Raises ConfigError for another name.

    Example:
        >>> zero_shot_named("eszsl")
        ESZSL()
    """
    if name not in _RECOGNIZERS:
        raise ConfigError(f"no zero-shot method {name!r}: choose one of {', '.join(NAMES)}")
    return _RECOGNIZERS[name]()
