"""From a request's body to items and parameters, within limits. Nothing of it touches the disk."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from lowshot.data.forms import NOUNS, Modality
from lowshot.data.images import open_picture
from lowshot.errors import BadFiles, DataError
from lowshot.serve.problems import Refused
from lowshot.text import printable

Read = TypeVar("Read", bound=BaseModel)

_MOST_FIELDS = 200  # of a form, files aside
_LONGEST_NAME = 500  # characters
_LARGEST_FIELD = 1 << 14  # bytes
_MOST_HEADERS = 16  # of a part of a form
_MOST_VALUES = 10_000  # of a JSON text


class Item(BaseModel):
    """An item in JSON: its file as base64, or a text as it is; what to call it, and further facts."""

    model_config = ConfigDict(extra="forbid")

    data: str | None = Field(
        default=None, description="The bytes of the file, as base64.", json_schema_extra={"contentEncoding": "base64"}
    )
    text: str | None = Field(
        default=None, description="The text itself, instead of a file; where texts are recognized."
    )
    name: str = ""
    attributes: dict[str, str] = {}

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.data is None) == (self.text is None):
            raise ValueError("give either `data` or `text`")
        return self


class IdentifyBody(BaseModel):
    """What to identify, in JSON."""

    model_config = ConfigDict(extra="forbid")

    items: list[Item] = Field(min_length=1)
    top: int = Field(default=5, ge=1, le=1000)
    where: dict[str, list[str]] = {}
    gate: list[str] = []
    gate_recall: float = Field(default=0.99, gt=0, le=1)


class EnrollBody(BaseModel):
    """What to enroll, in JSON."""

    model_config = ConfigDict(extra="forbid")

    items: list[Item] = Field(min_length=1)


class Renaming(BaseModel):
    """The new label of a class."""

    model_config = ConfigDict(extra="forbid")

    label: str


class DescribeBody(BaseModel):
    """Classes by what is said of them, in JSON."""

    model_config = ConfigDict(extra="forbid")

    descriptions: dict[str, str | dict[str, str]] = Field(
        min_length=1, description="Of each label, words (where texts are recognized), or values of attributes."
    )


@dataclass(frozen=True)
class Files:
    """Files of a request: their bytes, their names, which may be empty, and, where they were given, facts on each."""

    contents: Sequence[bytes]
    names: Sequence[str]
    attributes: Sequence[Mapping[str, str]]

    @property
    def shown(self) -> list[str]:
        """What to call each in an error."""
        return _shown(self.names)


@dataclass(frozen=True)
class Question:
    """How to compare; questions that are equal can be answered together."""

    top: int
    where: tuple[tuple[str, tuple[str, ...]], ...]
    gate: tuple[str, ...]
    gate_recall: float


@dataclass
class _Part:
    """One part of a form."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytearray = field(default_factory=bytearray)


def read_identify(media_type: str, body: bytes, most: int, modality: Modality = "image") -> tuple[Files, Question]:
    """What to identify, and how. Raises Refused or BadFiles, as :func:`read_enroll` does."""
    if _kind(media_type) == "application/json":
        given = _from_json(IdentifyBody, body)
        return _decoded(given.items, most, modality), _question(given)
    files, fields = _form(media_type, body, most)
    _know(fields, {"top", "where", "gate", "gate_recall"})
    values: dict[str, Any] = {name: _one(name, fields[name]) for name in ("top", "gate_recall") if name in fields}
    values |= {"where": _pairs("where", fields.get("where", [])), "gate": fields.get("gate", [])}
    given = _validated(IdentifyBody.model_validate, {**values, "items": [{"data": ""}]})
    return files, _question(given)


def read_enroll(media_type: str, body: bytes, most: int, modality: Modality = "image") -> Files:
    """What to enroll.

    Args:
        media_type: the Content-Type.
        body: all of it.
        most: files allowed.
        modality: what is recognized here.

    Raises:
        Refused: the body is malformed, of another type, or has too many files or parameters that cannot be.
        BadFiles: lists the items that are no base64, and texts where none are recognized.
    """
    if _kind(media_type) == "application/json":
        return _decoded(_from_json(EnrollBody, body).items, most, modality)
    files, fields = _form(media_type, body, most)
    _know(fields, {"attributes"})
    attributes = {}
    for key, values in _pairs("attributes", fields.get("attributes", [])).items():
        attributes[key] = _one(f"attributes {key}", values)
    return Files(files.contents, files.names, [attributes] * len(files.contents))


def read_renaming(body: bytes) -> str:
    """The new label of a class. Raises Refused where the body is something else."""
    return _from_json(Renaming, body).label


def read_descriptions(body: bytes, most: int) -> dict[str, str | dict[str, str]]:
    """What is said of each label. Raises Refused where the body is something else, or has more than so many labels."""
    said = _from_json(DescribeBody, body).descriptions
    if len(said) > most:
        raise Refused("too-large", f"the request describes {len(said)} classes, {most} are allowed: send it in parts")
    return said


def check_sizes(files: Files, most: int) -> None:
    """Look at the headers of pictures. Raises BadFiles, which lists those that are no picture or have too many pixels."""
    problems = []
    for name, content in zip(files.shown, files.contents, strict=True):
        try:
            open_picture(content, most)
        except DataError as error:
            problems.append((name, str(error)))
    if problems:
        raise BadFiles(problems, len(files.contents))


def _kind(media_type: str) -> str:
    """The type of the content, without parameters. Raises Refused where it is not one of the two."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind not in ("application/json", "multipart/form-data"):
        said = f"not {printable(kind)[:100]}" if kind else "and say which as Content-Type"
        raise Refused("media-type", f"send multipart/form-data or application/json, {said}")
    return kind


def _from_json(model: type[Read], body: bytes) -> Read:
    """Raises Refused also where there are so many values that to say what is wrong with each would fill the memory.

    Base64 has no commas and a text has few, so there are hardly more of them than values, and they are counted at once.
    """
    if body.count(b",") > _MOST_VALUES:
        raise Refused("too-large", f"the JSON has more than {_MOST_VALUES:,} values: send fewer items")
    return _validated(model.model_validate_json, body)


def _validated(validate: Callable[..., Read], given: Any) -> Read:
    """Raises Refused, which says what is wrong with the first value that is."""
    try:
        return validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        kind = "malformed" if first["type"] == "json_invalid" else "bad-parameters"
        raise Refused(kind, printable(f"{where}: {first['msg']}" if where else first["msg"])) from None


def _question(given: IdentifyBody) -> Question:
    where = tuple(sorted((key, tuple(sorted(values))) for key, values in given.where.items()))
    return Question(given.top, where, tuple(given.gate), given.gate_recall)


def _decoded(items: Sequence[Item], most: int, modality: Modality) -> Files:
    _check_number(len(items), most)
    names = [_name(item.name) for item in items]
    contents, problems = [], []
    for name, item in zip(_shown(names), items, strict=True):
        try:
            contents.append(_content(item, modality))
        except DataError as error:
            problems.append((name, str(error)))
    if problems:
        raise BadFiles(problems, len(items))
    return Files(contents, names, [item.attributes for item in items])


def _content(item: Item, modality: Modality) -> bytes:
    """The bytes of its file. Raises DataError where they are no base64, or where it is a text and should be none."""
    if item.text is not None:
        if modality != "text":
            raise DataError(f"it is a text: send the file of a {NOUNS[modality]} as `data`")
        return item.text.encode()
    try:
        return base64.b64decode(item.data or "", validate=True)
    except (binascii.Error, ValueError):
        raise DataError("its data are no base64") from None


def _name(given: str) -> str:
    """What to call a file: as the client does, in one line and not at any length."""
    return printable(given)[:_LONGEST_NAME]


def _shown(names: Sequence[str]) -> list[str]:
    return [name or f"item {position}" for position, name in enumerate(names)]


def _check_number(files: int, most: int) -> None:
    if files > most:
        raise Refused("too-large", f"{files} files at once, {most} are allowed: send them in parts")


def _form(media_type: str, body: bytes, most: int) -> tuple[Files, dict[str, list[str]]]:
    """The files of a form, and its other fields. Raises Refused where it is malformed."""
    contents: list[bytes] = []
    names: list[str] = []
    fields: dict[str, list[str]] = {}
    for part in _parts(media_type, body, most + _MOST_FIELDS):
        options = parse_options_header(dict(part.headers).get("content-disposition", ""))[1]
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name == "files":
            contents.append(bytes(part.content))
            names.append(_name(options.get(b"filename", b"").decode("utf-8", "replace")))
        elif b"filename" in options:
            raise Refused("bad-parameters", f"the form has a file as {printable(name)[:100]!r}: send files as `files`")
        else:
            fields.setdefault(name, []).append(_text(name, part.content))
    _check_number(len(contents), most)
    if not contents:
        raise Refused("bad-parameters", "the form has no file: send some as `files`")
    return Files(contents, names, []), fields


def _parts(media_type: str, body: bytes, most: int) -> list[_Part]:
    """The parts of a form."""
    boundary = parse_options_header(media_type)[1].get(b"boundary")
    if not boundary:
        raise Refused("malformed", "the Content-Type names no boundary between the parts of the form")
    parts: list[_Part] = []
    header: list[bytes] = [b"", b""]
    ended = False

    def begin() -> None:
        if len(parts) == most:
            raise Refused("too-large", f"the form has more than {most} parts: send fewer")
        parts.append(_Part())

    def name(data: bytes, start: int, end: int) -> None:
        header[0] += data[start:end]

    def value(data: bytes, start: int, end: int) -> None:
        header[1] += data[start:end]

    def header_end() -> None:
        if len(parts[-1].headers) == _MOST_HEADERS:
            raise Refused("malformed", f"a part of the form has more than {_MOST_HEADERS} headers")
        parts[-1].headers.append((header[0].decode("latin-1").lower(), header[1].decode("latin-1")))
        header[:] = [b"", b""]

    def content(data: bytes, start: int, end: int) -> None:
        parts[-1].content += memoryview(data)[start:end]

    def end() -> None:
        nonlocal ended
        ended = True

    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": begin,
                "on_header_field": name,
                "on_header_value": value,
                "on_header_end": header_end,
                "on_part_data": content,
                "on_end": end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Refused("malformed", f"the form cannot be read ({printable(error)})") from None
    if not ended:
        raise Refused("malformed", "the form is cut short")
    return parts


def _text(name: str, content: bytearray) -> str:
    if len(content) > _LARGEST_FIELD:
        raise Refused("bad-parameters", f"the field {printable(name)[:100]!r} has more than {_LARGEST_FIELD:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("malformed", f"the field {printable(name)[:100]!r} is no UTF-8") from None


def _know(fields: Mapping[str, object], known: set[str]) -> None:
    """A field that is misspelled must not be overlooked."""
    if strange := fields.keys() - known:
        listed = ", ".join(["files", *sorted(known)])
        raise Refused("bad-parameters", f"no field {printable(min(strange))[:100]!r} is known here: send {listed}")


def _one(name: str, values: Sequence[str]) -> str:
    if len(values) > 1:
        raise Refused("bad-parameters", f"{printable(name)[:100]} is given {len(values)} times: give it once")
    return values[0]


def _pairs(name: str, values: Sequence[str]) -> dict[str, list[str]]:
    """``["a=x", "a=y", "b=z"]`` as a mapping."""
    pairs: dict[str, list[str]] = {}
    for each in values:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise Refused("bad-parameters", f"{name} {printable(each)[:100]!r}: write key=value")
        pairs.setdefault(key, []).append(value)
    return pairs
