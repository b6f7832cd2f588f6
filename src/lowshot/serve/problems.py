"""What went wrong, as clients get it: problem details in JSON, RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from lowshot.errors import (
    BadDescriptions,
    BadFiles,
    BadLabels,
    ConfigError,
    DataError,
    EmptyGallery,
    LowshotError,
    NoMatch,
    NotEnrolled,
    ShapeError,
)

MEDIA_TYPE = "application/problem+json"

KINDS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be understood"),
    "no-key": (401, "A key is needed"),
    "scope": (403, "The key does not allow this"),
    "foreign-origin": (403, "Pages of other sites may not ask"),
    "foreign-host": (403, "This machine is not served under that name"),
    "not-found": (404, "There is no such thing"),
    "method": (405, "That cannot be done here"),
    "empty-gallery": (409, "Nothing is enrolled yet"),
    "too-large": (413, "The request is too large"),
    "media-type": (415, "Another type of content is needed"),
    "bad-files": (422, "Some files cannot be used"),
    "bad-labels": (422, "The label cannot be used"),
    "bad-descriptions": (422, "The class cannot be described so"),
    "bad-parameters": (422, "A parameter cannot be used"),
    "no-match": (422, "No enrolled example has this attribute"),
    "busy": (429, "Too many items are waiting"),
    "internal": (500, "Something went wrong here"),
    "gallery": (503, "The gallery cannot be used"),
    "timed-out": (503, "It took too long"),
    "draining": (503, "The service is about to end"),
}

# The first that fits. Any other error of this library is the gallery's own.
_KIND_OF: tuple[tuple[type[LowshotError], str], ...] = (
    (BadFiles, "bad-files"),
    (BadLabels, "bad-labels"),
    (BadDescriptions, "bad-descriptions"),
    (EmptyGallery, "empty-gallery"),
    (NotEnrolled, "not-found"),
    (NoMatch, "no-match"),
    (ConfigError, "bad-parameters"),
    (ShapeError, "bad-parameters"),
    (DataError, "bad-parameters"),
)
_HEADERS: Mapping[str, Mapping[str, str]] = {
    "no-key": {"WWW-Authenticate": "Bearer"},
    "busy": {"Retry-After": "1"},
    "gallery": {"Retry-After": "5"},
    "timed-out": {"Retry-After": "5"},
    "draining": {"Retry-After": "5"},
}


class Refused(LowshotError):
    """A request that is not answered; ``kind`` is one of :data:`KINDS`."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def kind_of(error: LowshotError) -> str:
    """What kind of problem an error is to a client."""
    if isinstance(error, Refused):
        return error.kind
    return next((kind for type_, kind in _KIND_OF if isinstance(error, type_)), "gallery")


def problem(error: LowshotError, place: str = "") -> Response:
    """The response. Where the gallery is, which a message may say, is no client's business."""
    more: dict[str, Any] = {}
    if isinstance(error, BadFiles):
        more = {"files": [{"name": name, "reason": why} for name, why in error.problems], "of": error.of}
    detail = str(error).replace(place, "the gallery") if place else str(error)
    return problem_of(kind_of(error), detail, more)


def problem_of(kind: str, detail: str, more: Mapping[str, Any] | None = None, status: int = 0) -> Response:
    """The response of a kind; another ``status`` where the kind does not say."""
    known, title = KINDS[kind]
    status = status or known
    title = title if status == known else HTTPStatus(status).phrase
    content = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, **(more or {})}
    return Response(to_json(content), status, _HEADERS.get(kind), MEDIA_TYPE)
