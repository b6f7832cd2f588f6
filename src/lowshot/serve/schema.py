"""What the OpenAPI document says of bodies and responses. The routes write JSON at once, nothing is checked twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lowshot.encoder import Card
from lowshot.serve.bodies import DescribeBody, EnrollBody, IdentifyBody, Renaming
from lowshot.serve.problems import MEDIA_TYPE


class BadFile(BaseModel):
    """A file that cannot be used, and why."""

    name: str
    reason: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(examples=["/problems/bad-files"])
    title: str
    status: int
    detail: str
    files: list[BadFile] = []
    of: int | None = None


class Candidate(BaseModel):
    """A class, and the probability that the item is of it."""

    label: str
    score: float


class Match(BaseModel):
    """An enrolled example that decided, and its distance; where it is a description, that too."""

    id: int
    label: str
    name: str
    distance: float
    described: str | None


class Answer(BaseModel):
    """What an item is; `label` is null where it is unknown."""

    name: str
    label: str | None
    unknown: bool
    confidence: float
    known: float
    candidates: list[Candidate]
    examples: list[Match]
    recognizer: str
    compared: int
    gate: dict[str, list[str]]


class Answers(BaseModel):
    """One answer an item, in the same order."""

    answers: list[Answer]


class Enrolled(BaseModel):
    """The id of each item, in the same order; of one that was there already, the one it has."""

    label: str
    ids: list[int]


class Described(BaseModel):
    """The id of each description, in the same order; of one that was there already, the one it has."""

    ids: list[int]


class ClassCount(BaseModel):
    """A class, how many examples it has, and the id of its oldest one."""

    label: str
    examples: int
    first: int


class Classes(BaseModel):
    """What is enrolled."""

    examples: int
    keeps_items: bool
    classes: list[ClassCount]


class Example(BaseModel):
    """An enrolled example."""

    id: int
    label: str
    name: str
    attributes: dict[str, str]
    added: datetime


class Class(BaseModel):
    """A class and its examples, oldest first."""

    label: str
    examples: list[Example]


class Renamed(BaseModel):
    """How many examples have another label now."""

    label: str
    renamed: int


class Removed(BaseModel):
    """How many examples are gone."""

    removed: int


class Found(BaseModel):
    """What a check found; see `lowshot.gallery.check`."""

    model_config = ConfigDict(extra="allow")

    examples: int
    classes: int


class Point(BaseModel):
    """An example on the map."""

    id: int
    label: str
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class Map(BaseModel):
    """Examples on a plane."""

    points: list[Point]
    shown: int
    of: int
    how: str


class EncoderCard(Card):
    """The encoder's card, and what tells it from others."""

    fingerprint: str
    keeps_items: bool


class Status(BaseModel):
    """That all is well."""

    status: Literal["ok"]


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {"description": "What went wrong.", "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
}
DESCRIBED = "Lowshot-Described"  # the header that tells a description from a text that was enrolled
# Of enrolled files, opened by themselves: nothing in them may run or load.
SANDBOX = {"Content-Disposition": "inline", "Content-Security-Policy": "default-src 'none'; sandbox"}

_FORM_FILES = {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
_FORM_PAIRS = {"type": "array", "items": {"type": "string", "pattern": "^[^=]+="}}


def gives(model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """What a route gives, for its decorator."""
    return {"responses": {status: {"model": model}}}


def _takes(model: type[BaseModel], form: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": _inlined(model)}}
    if form is not None:
        content["multipart/form-data"] = {"schema": {"type": "object", "required": ["files"], "properties": form}}
    return {"openapi_extra": {"requestBody": {"required": True, "content": content}}}


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    """A schema without references: this document has other definitions."""
    schema = model.model_json_schema()
    for name, definition in schema.pop("$defs", {}).items():
        schema = _replaced(schema, {"$ref": f"#/$defs/{name}"}, definition)
    return schema


def _replaced(schema: Any, old: Any, new: Any) -> Any:
    if schema == old:
        return new
    if isinstance(schema, dict):
        return {key: _replaced(value, old, new) for key, value in schema.items()}
    return [_replaced(value, old, new) for value in schema] if isinstance(schema, list) else schema


IDENTIFY = gives(Answers) | _takes(
    IdentifyBody,
    {
        "files": _FORM_FILES,
        "top": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 5},
        "where": _FORM_PAIRS,
        "gate": {"type": "array", "items": {"type": "string"}},
        "gate_recall": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.99},
    },
)
ENROLL = gives(Enrolled, 201) | _takes(EnrollBody, {"files": _FORM_FILES, "attributes": _FORM_PAIRS})
DESCRIBE = gives(Described, 201) | _takes(DescribeBody)
RENAME = gives(Renamed) | _takes(Renaming)
IMAGE: dict[str, Any] = {"responses": {200: {"content": {"image/*": {}}, "description": "The picture."}}}
FILE: dict[str, Any] = {
    "responses": {
        200: {
            "content": {kind: {} for kind in ("image/*", "audio/*", "text/plain")},
            "description": "The picture, the sound, the text, or what a description says.",
            "headers": {DESCRIBED: {"description": "There where it is a description.", "schema": {"type": "string"}}},
        }
    }
}
METRICS: dict[str, Any] = {"responses": {200: {"content": {"text/plain": {}}, "description": "The counts."}}}
