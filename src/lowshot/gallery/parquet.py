"""A gallery as a Parquet file: what other tools read, and what a gallery can be made of again.

Columns: ``id`` (int64), ``label``, ``name`` (string), ``attributes`` (map of string to string), ``added`` (timestamp, UTC),
``feature`` (fixed-size list of float32), ``original`` (binary: a picture file; null where none is kept) and ``digest``
(binary, see :class:`~lowshot.gallery.store.Row`). The facts of the gallery, among them its encoder's ``card`` and
``fingerprint``, are in the file's metadata, each as ``lowshot.NAME``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from lowshot.disk import replacing
from lowshot.encoder import Card
from lowshot.errors import ConfigError, GalleryError
from lowshot.gallery.enrollable import check_labels
from lowshot.gallery.store import Row

_PREFIX = "lowshot."
_SEVERAL = 1024  # rows turned into Python objects at once


@contextmanager
def writer(path: Path, facts: Mapping[str, str]) -> Iterator[Callable[[Sequence[Row]], None]]:
    """What writes rows, a row group at a time. The file takes its name at the end; after an error there is none.

    Raises ConfigError where pyarrow is missing, GalleryError where the file cannot be written.
    """
    pa = _pyarrow()
    if path.suffix != ".parquet":
        raise GalleryError(f"{path} is to be a Parquet file: name it {path.stem}.parquet")
    _check_replaceable(path)
    schema = _schema(pa, Card.model_validate_json(facts["card"])).with_metadata(
        {f"{_PREFIX}{name}": value for name, value in facts.items()}
    )
    try:
        with replacing(path) as file, pa.parquet.ParquetWriter(file, schema, use_dictionary=["label"]) as table:
            yield lambda rows: table.write_batch(_batch(pa, rows, schema))
    except OSError as error:
        raise GalleryError(f"{path} cannot be written: {error.strerror or error}") from None


def _check_replaceable(path: Path) -> None:
    """Raises GalleryError where something is there that is no Parquet file, which an export must not write over."""
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":
                raise GalleryError(f"{path} is there and is no Parquet file: choose another name")


class Table:
    """A Parquet file that :func:`writer` made.

    Attributes:
        facts: of the gallery.
        card: of its encoder.
    """

    def __init__(self, path: Path, file: Any) -> None:
        self._path = path
        self._file = file
        metadata = file.schema_arrow.metadata or {}
        self.facts = {
            key.decode().removeprefix(_PREFIX): value.decode()
            for key, value in metadata.items()
            if key.startswith(_PREFIX.encode())
        }
        try:
            self.card = Card.model_validate_json(self.facts["card"])
            fields = [file.schema_arrow.field(field.name) for field in _schema(_pyarrow(), self.card)]
        except (KeyError, ValidationError):
            raise self._strange("its metadata or columns are not a gallery's") from None
        if not self.facts.keys() >= {"fingerprint", "source"} or fields != list(_schema(_pyarrow(), self.card)):
            raise self._strange("its metadata or columns are not a gallery's")

    def __len__(self) -> int:
        """How many rows it has."""
        number: int = self._file.metadata.num_rows
        return number

    def check(self) -> None:
        """Look through all but the pictures. Raises GalleryError where something cannot be in a gallery."""
        last = 0
        for batch in self._batches(["id", "label", "name", "attributes", "added", "feature"]):
            if any(column.null_count for column in batch.columns):
                raise self._strange("values are missing")
            ids = batch.column("id").to_numpy()
            if not (np.diff(ids, prepend=last) > 0).all():
                raise self._strange("its ids do not grow")
            last = ids[-1]
            if not np.isfinite(batch.column("feature").flatten().to_numpy(zero_copy_only=False)).all():
                raise self._strange("features are no numbers")
            check_labels(batch.column("label").to_pylist(), [f"{self._path}, id {id}" for id in ids])

    def rows(self, after: int = 0) -> Iterator[Row]:
        """The rows with a larger id than ``after``, of a file that passes the :meth:`check`."""
        for batch in self._batches():
            if batch.column("id")[-1].as_py() > after:
                yield from (row for row in self._rows(batch) if (row.id or 0) > after)

    def _rows(self, batch: Any) -> Iterator[Row]:
        features = batch.column("feature").flatten().to_numpy().reshape(-1, self.card.features)
        columns = (
            batch.column(name).to_pylist()
            for name in ("label", "name", "attributes", "original", "digest", "id", "added")
        )
        for feature, label, name, attributes, *others in zip(features, *columns, strict=True):
            yield Row(label, name, dict(attributes), feature, *others)

    def _batches(self, columns: list[str] | None = None) -> Iterator[Any]:
        """One row group after another: pyarrow's own iteration keeps what it has read."""
        for group in range(self._file.num_row_groups):
            yield from self._file.read_row_group(group, columns).to_batches(_SEVERAL)

    def _strange(self, why: str) -> GalleryError:
        return GalleryError(f"{self._path} is no Parquet file that `lowshot gallery export` made ({why}): export again")


@contextmanager
def reader(path: Path) -> Iterator[Table]:
    """Open a file that :func:`writer` made.

    Raises ConfigError where pyarrow is missing, GalleryError where it is none of these, or is damaged.
    """
    pa = _pyarrow()
    try:
        with pa.parquet.ParquetFile(path) as file:
            yield Table(path, file)
    except pa.ArrowException as error:
        raise GalleryError(f"{path} cannot be read as Parquet ({error}): export the gallery again") from None
    except OSError as error:
        raise GalleryError(f"{path} cannot be read: {error.strerror or error}") from None


def _schema(pa: Any, card: Card) -> Any:
    return pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("name", pa.string(), nullable=False),
            pa.field("attributes", pa.map_(pa.string(), pa.string()), nullable=False),
            pa.field("added", pa.timestamp("ms", "UTC"), nullable=False),
            pa.field("feature", pa.list_(pa.float32(), card.features), nullable=False),
            pa.field("original", pa.binary()),
            pa.field("digest", pa.binary()),
        ]
    )


def _batch(pa: Any, rows: Sequence[Row], schema: Any) -> Any:
    """Rows as a batch of columns."""
    features = pa.array(np.concatenate([row.feature for row in rows]))
    columns = {
        "id": [row.id for row in rows],
        "label": [row.label for row in rows],
        "name": [row.name for row in rows],
        "attributes": [list(row.attributes.items()) for row in rows],
        "added": [row.added for row in rows],
        "feature": pa.FixedSizeListArray.from_arrays(features, type=schema.field("feature").type),
        "original": [row.original for row in rows],
        "digest": [row.digest for row in rows],
    }
    return pa.record_batch(columns, schema)


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError("this needs pyarrow: pip install 'lowshot[parquet]'") from None
    return pyarrow
