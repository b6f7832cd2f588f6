"""Reading and writing the metadata of an ONNX file without the ``onnx`` package, and without running anything.

An ONNX file is one protocol-buffer message, ``ModelProto``: a sequence of numbered fields. Field 14,
``metadata_props``, holds key–value pairs. The fields can be told apart from their headers alone, so that is all that is
read here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from lowshot.errors import EncoderError

METADATA = 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def split(model: bytes) -> tuple[bytes, dict[str, str]]:
    """The model without its metadata, and the metadata. Raises EncoderError where the bytes are no ONNX model."""
    graph, metadata = bytearray(), {}
    for number, start, body, end in _fields(model):
        if number == METADATA:
            entry = model[body:end]
            pair = {part: _text(entry[start:stop]) for part, _, start, stop in _fields(entry)}
            metadata[pair.get(1, "")] = pair.get(2, "")
        else:
            graph += model[start:end]
    return bytes(graph), metadata


def join(graph: bytes, metadata: Mapping[str, str]) -> bytes:
    """The model with this metadata: the inverse of :func:`split`."""
    entries = (_field(1, key.encode()) + _field(2, value.encode()) for key, value in metadata.items())
    return graph + b"".join(_field(METADATA, entry) for entry in entries)


def digest(*parts: bytes) -> str:
    """SHA-256 of the parts, in hexadecimal."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(field number, start, start of its content, end) of each field of a message."""
    position = 0
    while position < len(message):
        start = position
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        body = position
        if wire == _VARINT:
            _, position = _varint(message, position)
        elif wire in (_FIXED32, _FIXED64):
            position += 4 if wire == _FIXED32 else 8
        elif wire == _BYTES:
            length, body = _varint(message, position)
            position = body + length
        else:
            raise EncoderError("not an ONNX file: its fields cannot be read")
        if number == 0 or position > len(message):
            raise EncoderError("not an ONNX file, or one cut short: fetch or export it again")
        yield number, start, body, position


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise EncoderError("the ONNX file's metadata are no text: fetch or export it again") from None


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise EncoderError("not an ONNX file, or one cut short: fetch or export it again")
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _field(number: int, content: bytes) -> bytes:
    return _to_varint(number << 3 | _BYTES) + _to_varint(len(content)) + content


def _to_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
