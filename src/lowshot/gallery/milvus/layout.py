"""How Milvus keeps an example: the fields of the collections, and what does not fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from pydantic import ValidationError

from lowshot.encoder import Card
from lowshot.errors import GalleryError
from lowshot.gallery.milvus.connection import PATIENCE, Connection, Found
from lowshot.gallery.milvus.files import LARGEST, parts
from lowshot.gallery.records import Record
from lowshot.gallery.store import Row

Named = tuple[str, str]  # label and digest of an example: where two are the same, they show the same picture

FORMAT = "lowshot gallery, format 1"  # the description of a collection of examples
CELLS = 1024  # of the index
_METRICS = {"cosine": "COSINE", "euclidean": "L2"}  # Milvus's L2 is squared, as ours
_BYTES = {"label": 800, "name": 65_535, "digest": 512, "attributes": 65_536}
_REQUEST = 60 << 20  # bytes of one request; Milvus takes 64 MiB
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def read_card(place: str, facts: Mapping[str, str]) -> Card:
    """The card among the facts. Raises GalleryError where there is none, or Milvus cannot compare as it says."""
    try:
        card = Card.model_validate_json(facts["card"])
    except (KeyError, ValidationError):
        raise GalleryError(f"{place} is damaged (its encoder's card cannot be read): restore it from a copy") from None
    if card.distance not in _METRICS:
        raise GalleryError(
            f"{place} cannot be made: Milvus does not compare by {card.distance}, as the encoder {card.name!r} needs; keep "
            "the gallery in a file"
        )
    return card


def make(connection: Connection, card: Card, properties: Mapping[str, str]) -> None:
    """Make the collections. With that of the examples there is a gallery; raises Milvus's error where there is another."""
    given: dict[str, Any] = {"consistency_level": "Session", "timeout": PATIENCE}
    connection.client.create_collection(connection.files, schema=_files_schema(), **given)
    schema = _examples_schema(card.features)
    connection.client.create_collection(connection.examples, schema=schema, properties=dict(properties), **given)


def serve(connection: Connection, card: Card) -> None:
    """Have Milvus index the collections, where it does not yet, and load them."""
    client = connection.client
    for name in (connection.examples, connection.files):
        if not client.list_indexes(name):
            indexes = client.prepare_index_params()
            if name == connection.examples:
                metric = _METRICS[card.distance]
                indexes.add_index("feature", index_type="IVF_FLAT", metric_type=metric, params={"nlist": CELLS})
                indexes.add_index("label", index_type="Trie")
            else:
                indexes.add_index("never", index_type="FLAT", metric_type="L2")
            client.create_index(name, indexes, sync=False, timeout=PATIENCE)
        client.load_collection(name, _async=True, timeout=PATIENCE)
    for name in (connection.examples, connection.files):
        client.load_collection(name, timeout=PATIENCE)


def _examples_schema(features: int) -> Any:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False, description=FORMAT)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("label", DataType.VARCHAR, max_length=_BYTES["label"])
    schema.add_field("name", DataType.VARCHAR, max_length=_BYTES["name"])
    schema.add_field("attributes", DataType.JSON)
    schema.add_field("added", DataType.INT64)  # milliseconds since 1970
    schema.add_field("digest", DataType.VARCHAR, max_length=_BYTES["digest"])
    schema.add_field("key", DataType.INT64)  # of label and digest, quick to look up
    schema.add_field("parts", DataType.INT64)  # of the picture, 0 where none is kept
    schema.add_field("feature", DataType.FLOAT_VECTOR, dim=features)
    return schema


def _files_schema() -> Any:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False, description=f"files of a {FORMAT}")
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("file", DataType.INT64)
    schema.add_field("written", DataType.INT64)  # seconds since 1970
    schema.add_field("content", DataType.VARCHAR, max_length=65_535)
    schema.add_field("never", DataType.FLOAT_VECTOR, dim=2)  # Milvus wants a vector in every collection
    return schema


def check(row: Row, features: int) -> None:
    """Raises GalleryError where Milvus cannot keep an example as it is."""
    if row.feature.shape != (features,) or not np.isfinite(row.feature).all():
        raise GalleryError(f"a feature of {row.label!r} is not {features} finite numbers: nothing was added")
    sizes = {
        "label": len(row.label.encode()),
        "name": len(row.name.encode()),
        "attributes": len(json.dumps(dict(row.attributes)).encode()),
        "digest": len(named(row)[1]),
    }
    for what, size in sizes.items():
        if size > _BYTES[what]:
            raise GalleryError(
                f"the {what} of an example of {row.label[:40]!r} has {size} bytes, Milvus holds {_BYTES[what]}: shorten it; "
                "nothing was added"
            )
    if "" in row.attributes:
        raise GalleryError(f"an attribute of {row.label!r} has no name: give it one; nothing was added")
    if row.original is not None and len(row.original) > LARGEST:
        raise GalleryError(
            f"the picture {row.name!r} of {row.label!r} has {len(row.original) >> 20} MiB, Milvus is given up to "
            f"{LARGEST >> 20}: make it smaller, or a gallery that keeps none (--no-images); nothing was added"
        )


def check_request(place: str, entries: list[Found]) -> None:
    """Raises GalleryError where rows are too many for one request, which is all or nothing."""
    size = sum(map(_size, entries))
    if size > _REQUEST:
        raise GalleryError(
            f"{place} takes {_REQUEST >> 20} MiB in one call, all or nothing, not {size >> 20}: do it in parts; nothing was "
            "changed"
        )


def entry(id: int, row: Row, now: datetime) -> Found:
    """An example as Milvus keeps it."""
    return {
        "id": id,
        "label": row.label,
        "name": row.name,
        "attributes": dict(row.attributes),
        "added": ((row.added or now) - _START) // _MILLISECOND,
        "digest": named(row)[1],
        "key": key(*named(row)),
        "parts": 0 if row.original is None else parts(row.original),
        "feature": row.feature,
    }


def renamed(found: Found, to: str) -> Found:
    """The same under another label."""
    return {**found, "label": to, "key": key(to, found["digest"])}


def row(found: Found, original: bytes | None) -> Row:
    """The inverse of :func:`entry`."""
    return Row(
        label=found["label"],
        name=found["name"],
        attributes=found["attributes"],
        feature=np.array(found["feature"], np.float32),
        original=original,
        digest=bytes.fromhex(found["digest"]) or None,
        id=found["id"],
        added=_START + found["added"] * _MILLISECOND,
    )


def record(found: Found) -> Record:
    """What is told of an example."""
    added = _START + found["added"] * _MILLISECOND
    return Record(found["id"], found["label"], found["name"], found["attributes"], added)


def named(row: Row) -> Named:
    """Label and digest; the digest is empty where there is none."""
    return row.label, "" if row.digest is None else row.digest.hex()


def key(label: str, digest: str) -> int:
    """A number for a label and a digest; 0 where there is no digest."""
    if not digest:
        return 0
    return int.from_bytes(hashlib.sha256(f"{digest} {label}".encode()).digest()[:8], signed=True)


def _size(entry: Found) -> int:
    """Bytes of an example in a request, at most."""
    texts = (entry["label"], entry["name"], entry["digest"], json.dumps(entry["attributes"]))
    return 4 * len(entry["feature"]) + sum(len(text.encode()) for text in texts) + 64
