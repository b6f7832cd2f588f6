"""Labeled pictures of the user's own: a folder of class folders, a zip of one, or a CSV table."""

from __future__ import annotations

import csv
import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from lowshot.data.examples import Examples
from lowshot.data.images import MAX_BYTES, ImageForm, read_pictures
from lowshot.data.pack import packed, stamp
from lowshot.errors import BadFiles, DataError

if TYPE_CHECKING:
    from _csv import Reader

PHOTO = ImageForm(height=84, width=84, channels=3, fit="crop")  # the field's usual size for photos

_READABLE = "png jpg jpeg jpe jfif webp bmp dib gif tif tiff pgm ppm pbm pnm apng"
# Pictures too, but of formats that are not read: naming them in an error beats leaving them out in silence.
_OTHER = "heic heif avif jp2 jxl svg psd ico tga dng cr2 nef arw"
SUFFIXES = frozenset(f".{suffix}" for suffix in f"{_READABLE} {_OTHER}".split())

# So many files are decoded anew at every load. That takes a few seconds at most, while a packed copy of every small
# folder ever looked at, and of each of its changes, would fill the user's cache.
_DIRECT = 1000


@dataclass(frozen=True)
class ZipMember:
    """A file inside a zip. It is read from there, never extracted, and its name is never used as a path."""

    archive: zipfile.ZipFile = field(repr=False)
    info: zipfile.ZipInfo

    def __reduce__(self) -> tuple[object, ...]:
        """For another process, which opens the zip itself."""
        return _member, (self.archive.filename, self.info)

    def read_bytes(self) -> bytes:
        """The whole file. Raises DataError where it is too large, encrypted or damaged."""
        if self.info.file_size > MAX_BYTES:
            raise DataError(f"it has {self.info.file_size:,} bytes, more than {MAX_BYTES:,}: shrink it")
        try:
            return self.archive.read(self.info)  # at most as many bytes as declared, then the checksum is compared
        except RuntimeError:  # zipfile's way to say so; NotImplementedError, an unknown compression, is one too
            raise DataError("it is encrypted or compressed in an unknown way: pack the zip again without") from None
        except Exception as error:  # each kind of compression has errors of its own
            raise DataError(f"the zip is damaged there ({error})") from None


def _member(archive: str, info: zipfile.ZipInfo) -> ZipMember:
    return ZipMember(_opened(archive), info)


@lru_cache(maxsize=1)
def _opened(archive: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(archive)


@dataclass(frozen=True, eq=False)
class FileSet:
    """Labeled picture files that are listed but not read yet. Make one with :meth:`open`.

    Attributes:
        pictures: each file; ``read_bytes()`` gives its original bytes.
        labels: the class of each.
        names: where each lies: its path, or the zip's path and the name inside.
        attributes: further facts, each an array of as many strings.
        sources: the files that would have to change for the set to change.

    Example:
        >>> import tempfile, pathlib
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for label in ("cat", "dog"):
        ...         pathlib.Path(folder, label).mkdir()
        ...         Image.new("L", (8, 8)).save(f"{folder}/{label}/1.png")
        ...     files = FileSet.open(folder)
        ...     list(files.labels), files.pictures[0].read_bytes()[1:4]
        (['cat', 'dog'], b'PNG')
    """

    pictures: Sequence[Path | ZipMember]
    labels: Sequence[str]
    names: Sequence[str]
    attributes: Mapping[str, NDArray[np.str_]]
    sources: Sequence[Path]

    def __len__(self) -> int:
        return len(self.pictures)

    @staticmethod
    def open(path: str | Path) -> FileSet:
        """List what a folder, zip or table holds; the pictures themselves are not read yet.

        - A **folder of class folders**: ``cat/1.png``, ``dog/deeper/2.jpg``. The first folder is the class. Hidden
          files and those that are no pictures by their suffix are left out.
        - A **zip** of such a folder, with or without one folder around it all.
        - A **CSV table** in UTF-8 with the columns ``path`` and ``label``; any others are attributes. Paths start from
          the table's folder.

        Raises:
            DataError: it is none of these, a picture lies in no class folder, or rows are incomplete (with their lines).
        """
        path = Path(path).expanduser()
        try:
            if path.exists() and not (path.is_dir() or path.is_file()):  # it might never end, or never begin
                raise DataError(f"{path} is a device or a pipe: give a folder, a zip or a CSV table")
            if path.is_dir():
                return _folder(path)
            if path.suffix.lower() == ".csv":
                return _table(path)
            return _zip(path)
        except zipfile.BadZipFile:
            raise DataError(f"{path} is no folder, no CSV table and no whole zip: give one of these") from None
        except OSError as error:
            raise DataError(f"{error.filename or path}: {error.strerror or error}") from None

    def examples(self, form: ImageForm) -> Examples:
        """Decode all pictures to ``form``. Raises BadFiles, which lists every one that cannot be read, once."""
        items = read_pictures(self.pictures, form, self.names)
        classes, labels = np.unique(np.array(self.labels), return_inverse=True)
        return Examples(items, labels.astype(np.int64), tuple(classes.tolist()), tuple(self.names), self.attributes)


def load(path: str | Path, form: ImageForm | None = None) -> Examples:
    """The examples of a folder of class folders, a zip of one, or a CSV table; see :meth:`FileSet.open`.

    Args:
        path: of the folder, zip or table.
        form: pixels wanted; None for 84×84 in color, the center of each picture.

    Raises:
        BadFiles: lists every file that is missing or cannot be read.
        DataError: as :meth:`FileSet.open`.
    """
    files = FileSet.open(path)
    form = form or PHOTO
    if len(files) <= _DIRECT:
        return files.examples(form)
    states = "\n".join(f"{source.absolute()} {_state(source)}" for source in files.sources)
    digest = hashlib.sha256(os.fsencode(states)).hexdigest()
    return packed(f"files {digest} {form.model_dump_json()}", lambda: files.examples(form))


def _state(path: Path) -> str:
    try:
        return stamp(path)
    except (OSError, ValueError):  # it is reported with all other bad files, when they are read
        return "missing"


def _folder(path: Path) -> FileSet:
    found = sorted((parts, Path(path, *parts)) for parts in _walk(path) if _is_picture(parts))
    pictures = [picture for _, picture in found]
    labels = _first_folders([parts for parts, _ in found], path)
    return FileSet(pictures, labels, [str(picture) for picture in pictures], {}, pictures)


def _walk(path: Path) -> Iterator[tuple[str, ...]]:
    """Every file below a folder, as parts of its path. A class folder may be a link; deeper links may circle."""
    for entry in path.iterdir():
        if not entry.is_dir():
            yield (entry.name,)
            continue
        for folder, _, names in os.walk(entry, onerror=_refuse):
            inside = Path(folder).relative_to(path).parts
            yield from ((*inside, name) for name in names)


def _refuse(error: OSError) -> NoReturn:
    raise error


def _zip(path: Path) -> FileSet:
    archive = zipfile.ZipFile(path)  # stays open for the pictures, and closes itself when the last of them is gone
    members = ((_parts(info.filename), info) for info in archive.infolist() if not info.is_dir())
    found = sorted((each for each in members if _is_picture(each[0])), key=lambda each: each[0])
    all_parts = [parts for parts, _ in found]
    if len({parts[0] for parts in all_parts}) == 1 and max(map(len, all_parts)) > 2:
        all_parts = [parts[1:] for parts in all_parts]
    pictures = [ZipMember(archive, info) for _, info in found]
    names = [f"{path}/{info.filename}" for _, info in found]
    return FileSet(pictures, _first_folders(all_parts, path), names, {}, [path])


def _parts(name: str) -> tuple[str, ...]:
    """A member's name as folders and a file; steps up and backslashes of careless packers mean nothing."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _is_picture(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") for part in parts)
    return bool(parts) and not hidden and Path(parts[-1]).suffix.lower() in SUFFIXES


def _first_folders(all_parts: Sequence[tuple[str, ...]], path: Path) -> list[str]:
    layout = f"put them in one folder a class: {path}/cat/1.png, {path}/dog/1.png"
    if not all_parts:
        raise DataError(f"{path} holds no pictures in class folders; {layout}")
    if loose := [parts[0] for parts in all_parts if len(parts) == 1]:
        raise DataError(f"{path} has {len(loose)} pictures outside any class folder, such as {loose[0]}; {layout}")
    return [parts[0] for parts in all_parts]


def _table(path: Path) -> FileSet:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            columns = _columns(csv.reader(file, skipinitialspace=True, strict=True), str(path))
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8: save the table as CSV in UTF-8") from None
    pictures = [path.parent / each for each in columns.pop("path")]
    labels = columns.pop("label")
    attributes = {name: np.array(values) for name, values in columns.items()}
    return FileSet(pictures, labels, [str(picture) for picture in pictures], attributes, [path, *pictures])


def _columns(reader: Reader, table: str) -> dict[str, tuple[str, ...]]:
    """The cells by column, stripped; every row complete, with a path and a label. Rows without any text are skipped."""
    try:
        stripped = ([cell.strip() for cell in row] for row in reader)
        rows = [(reader.line_num, cells) for cells in stripped if any(cells)]
    except csv.Error as error:
        raise DataError(f"{table}, line {reader.line_num}: {error}") from None
    if len(rows) < 2:
        raise DataError(f"{table} has no rows: write a header path,label and a row for each picture")
    (first, header), *rest = rows
    if absent := [name for name in ("path", "label") if name not in header]:
        raise DataError(f"{table}, line {first}: no column {absent[0]!r}; start with path,label separated by commas")
    if len(set(header)) < len(header) or "" in header:
        raise DataError(f"{table}, line {first}: every column needs a name of its own, not {','.join(header)}")
    if problems := [f"line {line}: {flaw}" for line, cells in rest if (flaw := _flaw(cells, header))]:
        more = len(problems) - BadFiles.SHOWN
        listed = "; ".join(problems[: BadFiles.SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise DataError(
            f"{len(problems)} of {len(rest)} rows of {table} cannot be used ({listed}): repair or remove them"
        )
    return dict(zip(header, zip(*(cells for _, cells in rest), strict=True), strict=True))


def _flaw(cells: Sequence[str], header: Sequence[str]) -> str | None:
    """What a row lacks; None where it is complete."""
    if len(cells) != len(header):
        return f"{len(cells)} cells but {len(header)} columns, put a cell with commas in quotes"
    return next((f"no {name}" for name in ("path", "label") if not cells[header.index(name)]), None)
