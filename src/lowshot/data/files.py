"""Labeled pictures, sounds or texts of the user's own: a folder of class folders, a zip of one, or a CSV table."""

from __future__ import annotations

import csv
import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from lowshot.data.examples import Examples
from lowshot.data.forms import Form, Modality, read_items
from lowshot.data.images import ImageForm
from lowshot.data.pack import packed, stamp
from lowshot.data.raw import MAX_BYTES
from lowshot.data.sounds import SoundForm
from lowshot.data.texts import TextForm
from lowshot.errors import BadFiles, DataError

if TYPE_CHECKING:
    from _csv import Reader

# What items are brought to where nobody says otherwise; 84×84 is the field's usual size for photos.
DEFAULTS: Mapping[Modality, Form] = {
    "image": ImageForm(height=84, width=84, channels=3, fit="crop"),
    "sound": SoundForm(),
    "text": TextForm(tokens=128),
}

_READABLE = "png jpg jpeg jpe jfif webp bmp dib gif tif tiff pgm ppm pbm pnm apng"
# Pictures too, but of formats that are not read: naming them in an error beats leaving them out in silence.
_OTHER = "heic heif avif jp2 jxl svg psd ico tga dng cr2 nef arw"
_SOUNDS = "wav flac ogg oga mp3"
_OTHER_SOUNDS = "m4a aac opus wma aif aiff au amr webm"
SUFFIXES: Mapping[str, Modality] = {
    **{f".{suffix}": "image" for suffix in f"{_READABLE} {_OTHER}".split()},
    **{f".{suffix}": "sound" for suffix in f"{_SOUNDS} {_OTHER_SOUNDS}".split()},
}

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
    """Labeled items that are listed but not read yet. Make one with :meth:`open`.

    Attributes:
        modality: what they are.
        items: each file, whose ``read_bytes()`` gives its original bytes; or each text.
        labels: the class of each.
        names: where each lies: its path, the zip's path and the name inside, or the table's path and the line.
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
        ...     files.modality, list(files.labels), files.items[0].read_bytes()[1:4]
        ('image', ['cat', 'dog'], b'PNG')
    """

    modality: Modality
    items: Sequence[Path | ZipMember | str]
    labels: Sequence[str]
    names: Sequence[str]
    attributes: Mapping[str, NDArray[np.str_]]
    sources: Sequence[Path]

    def __len__(self) -> int:
        return len(self.items)

    @staticmethod
    def open(path: str | Path) -> FileSet:
        """List what a folder, zip or table holds; the files themselves are not read yet.

        - A **folder of class folders**: ``cat/1.png``, ``dog/deeper/2.jpg``, or ``yes/1.wav``. The first folder is the
          class. Hidden files and those that are neither pictures nor sounds by their suffix are left out.
        - A **zip** of such a folder, with or without one folder around it all.
        - A **CSV table** in UTF-8 with the columns ``path`` and ``label``, or ``text`` and ``label``; any others are
          attributes. Paths start from the table's folder.

        Raises:
            DataError: it is none of these, it holds both pictures and sounds, a file lies in no class folder, or rows are
                incomplete (with their lines).
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

    def examples(self, form: Form) -> Examples:
        """Decode all items to ``form``.

        Raises BadFiles, which lists every one that cannot be read, once; DataError where the form is of another modality.
        """
        if form.modality != self.modality:
            raise DataError(f"{self.names[0]} and the others are {self.modality}s, but {form.modality}s are wanted")
        return Examples.labeled(read_items(self.items, form, self.names), self.labels, self.names, self.attributes)


def load(path: str | Path, form: Form | None = None) -> Examples:
    """The examples of a folder of class folders, a zip of one, or a CSV table; see :meth:`FileSet.open`.

    Args:
        path: of the folder, zip or table.
        form: pixels or samples wanted; None for 84×84 in color, the center of each picture, or a second of sound at 16 kHz.

    Raises:
        BadFiles: lists every file that is missing or cannot be read.
        DataError: as :meth:`FileSet.open`.
    """
    files = FileSet.open(path)
    form = form or DEFAULTS[files.modality]
    if len(files) <= _DIRECT or files.modality == "text":
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
    found = sorted((parts, Path(path, *parts)) for parts in _walk(path) if _modality(parts))
    files = [file for _, file in found]
    all_parts = [parts for parts, _ in found]
    labels = _first_folders(all_parts, path)
    return FileSet(_one_modality(all_parts, path), files, labels, [str(file) for file in files], {}, files)


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
    archive = zipfile.ZipFile(path)  # stays open for the files, and closes itself when the last of them is gone
    members = ((_parts(info.filename), info) for info in archive.infolist() if not info.is_dir())
    found = sorted((each for each in members if _modality(each[0])), key=lambda each: each[0])
    all_parts = [parts for parts, _ in found]
    if len({parts[0] for parts in all_parts}) == 1 and max(map(len, all_parts)) > 2:
        all_parts = [parts[1:] for parts in all_parts]
    labels = _first_folders(all_parts, path)
    files = [ZipMember(archive, info) for _, info in found]
    names = [f"{path}/{info.filename}" for _, info in found]
    return FileSet(_one_modality(all_parts, path), files, labels, names, {}, [path])


def _parts(name: str) -> tuple[str, ...]:
    """A member's name as folders and a file; steps up and backslashes of careless packers mean nothing."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _modality(parts: tuple[str, ...]) -> Modality | None:
    """What a file is by its suffix; None where it is none of ours, or hidden."""
    if not parts or any(part.startswith(".") for part in parts):
        return None
    return SUFFIXES.get(Path(parts[-1]).suffix.lower())


def _one_modality(all_parts: Sequence[tuple[str, ...]], path: Path) -> Modality:
    """What all files are."""
    kinds = [_modality(parts) for parts in all_parts]
    if (sounds := kinds.count("sound")) not in (0, len(kinds)):
        raise DataError(
            f"{path} holds {len(kinds) - sounds} pictures and {sounds} sounds: put each kind into a folder of its own"
        )
    return "sound" if sounds else "image"


def _first_folders(all_parts: Sequence[tuple[str, ...]], path: Path) -> list[str]:
    layout = f"put them in one folder a class: {path}/cat/1.png, {path}/dog/1.png"
    if not all_parts:
        raise DataError(f"{path} holds no pictures or sounds in class folders; {layout}")
    if loose := [parts[0] for parts in all_parts if len(parts) == 1]:
        raise DataError(f"{path} has {len(loose)} files outside any class folder, such as {loose[0]}; {layout}")
    return [parts[0] for parts in all_parts]


def _table(path: Path) -> FileSet:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines, columns = _columns(csv.reader(file, skipinitialspace=True, strict=True), str(path))
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8: save the table as CSV in UTF-8") from None
    labels, paths = columns.pop("label"), columns.pop("path", None)
    texts = columns.pop("text") if paths is None else ()
    attributes = {name: np.array(values) for name, values in columns.items()}
    if paths is None:
        return FileSet("text", texts, labels, [f"{path}, line {line}" for line in lines], attributes, [path])
    files = [path.parent / each for each in paths]
    modality = _one_modality([(file.name,) for file in files], path)
    return FileSet(modality, files, labels, [str(file) for file in files], attributes, [path, *files])


def _columns(reader: Reader, table: str) -> tuple[list[int], dict[str, tuple[str, ...]]]:
    """The lines of the rows, and the cells by column, stripped; every row complete, with a path or a text, and a label.

    Rows without any text are skipped.
    """
    try:
        stripped = ([cell.strip() for cell in row] for row in reader)
        rows = [(reader.line_num, cells) for cells in stripped if any(cells)]
    except csv.Error as error:
        raise DataError(f"{table}, line {reader.line_num}: {error}") from None
    if len(rows) < 2:
        raise DataError(f"{table} has no rows: write a header path,label or text,label and a row for each item")
    (first, header), *rest = rows
    needed = ("path" if "path" in header or "text" not in header else "text", "label")
    if absent := [name for name in needed if name not in header]:
        raise DataError(
            f"{table}, line {first}: no column {absent[0]!r} in {shorten(','.join(header), 80)!r}; start with path,label or "
            "text,label, in small letters and separated by commas"
        )
    if len(set(header)) < len(header) or "" in header:
        raise DataError(f"{table}, line {first}: every column needs a name of its own, not {','.join(header)}")
    if problems := [f"line {line}: {flaw}" for line, cells in rest if (flaw := _flaw(cells, header, needed))]:
        more = len(problems) - BadFiles.SHOWN
        listed = "; ".join(problems[: BadFiles.SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise DataError(
            f"{len(problems)} of {len(rest)} rows of {table} cannot be used ({listed}): repair or remove them"
        )
    columns = dict(zip(header, zip(*(cells for _, cells in rest), strict=True), strict=True))
    return [line for line, _ in rest], columns


def _flaw(cells: Sequence[str], header: Sequence[str], needed: Sequence[str]) -> str | None:
    """What a row lacks; None where it is complete."""
    if len(cells) != len(header):
        return f"{len(cells)} cells but {len(header)} columns, put a cell with commas in quotes"
    return next((f"no {name}" for name in needed if not cells[header.index(name)]), None)
