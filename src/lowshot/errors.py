"""Everything that can go wrong, in one small tree.

    LowshotError
    ├── DataError          a source, a file or a split is not what it should be
    │   ├── DataNotFound       a named set is in none of the places searched
    │   └── BadFiles           some files of a folder, zip or table cannot be read
    ├── ClassTooSmall      a class has fewer examples than shots + queries ask for
    ├── EncoderError       an encoder file or its card is missing, damaged or unfit
    ├── ShapeError         an array has another shape than the one asked for
    ├── ConfigError        a setting is unknown or outside its range
    ├── TrainingError      training cannot start, go on or be resumed
    ├── ServiceError       a service cannot be reached, or refuses a request
    └── GalleryError       a gallery is missing, damaged, of another encoder, or refuses an enrollment
        ├── EmptyGallery       nothing is enrolled yet
        ├── NotEnrolled        there is no such class or example
        ├── NoMatch            no enrolled example has the attribute, or the value, that was asked for
        ├── BadLabels          labels that cannot be one
        └── BadDescriptions    classes that cannot be described so

Every message says what was wrong, where, and what to do about it. The command prints the message
on one line and exits with status 2.
"""

from __future__ import annotations

from collections.abc import Sequence


class LowshotError(Exception):
    """The root: catch this to catch every error the user can do something about."""


class DataError(LowshotError):
    """A source, a file or a split is not what it should be."""


class DataNotFound(DataError):
    """A named data set is in none of the places searched."""


class BadFiles(DataError):
    """Some files cannot be read. ``problems`` holds one ``(file, reason)`` per bad file, of ``of``."""

    SHOWN = 10

    def __init__(self, problems: Sequence[tuple[str, str]], of: int) -> None:
        self.problems = tuple(problems)
        self.of = of
        listed = "; ".join(f"{name}: {reason}" for name, reason in self.problems[: self.SHOWN])
        more = len(self.problems) - self.SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        super().__init__(f"{len(self.problems)} of {of} files cannot be used ({listed}{rest}): repair or remove them")


class ClassTooSmall(LowshotError):
    """A class has fewer examples than the shots and queries asked for."""


class EncoderError(LowshotError):
    """An encoder file or its card is missing, damaged or unfit for the data."""


class ShapeError(LowshotError, ValueError):
    """An array has another shape than the one asked for; the message prints both. A ValueError too, as in NumPy."""


class ConfigError(LowshotError):
    """A setting is unknown or outside its range."""


class TrainingError(LowshotError):
    """Training cannot start, go on or be resumed."""


class ServiceError(LowshotError):
    """A service cannot be reached, or refuses a request."""


class GalleryError(LowshotError):
    """A gallery is missing, damaged, of another encoder, or refuses an enrollment."""


class EmptyGallery(GalleryError):
    """Nothing is enrolled yet."""


class NotEnrolled(GalleryError):
    """There is no such class or example."""


class NoMatch(GalleryError):
    """No enrolled example has the attribute, or the value, that was asked for."""


class BadLabels(GalleryError):
    """Labels that cannot be one."""


class BadDescriptions(GalleryError):
    """Classes that cannot be described so."""
