"""Labeled Faces in the Wild: 13,233 photographs of 5,749 people, 4,069 of whom have just one.

Source: Huang, Ramesh, Berg & Learned-Miller, University of Massachusetts report 07-49, 2007; the funneled (aligned)
images of Huang, Jain & Learned-Miller, ICCV 2007, in gray and cut to the face as scikit-learn's ``fetch_lfw_people``
cuts them.
"""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from lowshot.data.examples import Examples
from lowshot.data.images import ImageForm, Picture, read_pictures
from lowshot.data.locate import Archive, find, locate
from lowshot.data.pack import packed, stamp
from lowshot.errors import DataError

NATIVE = ImageForm(height=125, width=94, channels=1)

VARIANTS = {"": "13233 faces of 5749 people, 1 to 530 each (4069 people have one), gray, cut to 125×94"}

CROPPED = "lfw/lfw_crop125x94.zip"  # the same images already cut, a sixth of the size; used where it is
FUNNELED = Archive(
    "lfw/lfw-funneled.tgz",
    "https://ndownloader.figshare.com/files/5976015",
    "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
)
_FACES = 13233
_CUT = (78, 70, 172, 195)  # left, top, right, bottom: scikit-learn's rows 70–194 and columns 78–171


def load(variant: str, form: ImageForm | None = None) -> Examples:
    """The faces; classes are the people's names (``Aaron Eckhart``), with 1 to 530 photographs each.

    125×94 with one channel unless ``form`` asks for other pixels. Most people have one photograph: ``lfw?least=2``
    keeps the others.
    """
    form = form or NATIVE
    path = find(CROPPED) or locate(FUNNELED)
    return packed(f"lfw {path.name} {stamp(path)} {form.model_dump_json()}", lambda: _decode(path, form))


def _decode(path: Path, form: ImageForm) -> Examples:
    try:
        faces = dict(sorted(_cropped(path) if path.suffix == ".zip" else _funneled(path)))
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read ({error}): remove it and it is fetched again") from error
    if len(faces) != _FACES:
        raise DataError(f"{path} holds {len(faces)} faces, not LFW's {_FACES}: remove it and it is fetched again")
    people = [name.split("/")[1].replace("_", " ") for name in faces]
    return Examples.labeled(read_pictures(list(faces.values()), form), people, list(faces))


def _cropped(path: Path) -> Iterator[tuple[str, Picture]]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if _is_face(name):
                yield name, archive.read(name)


def _funneled(path: Path) -> Iterator[tuple[str, Picture]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if _is_face(member.name) and (file := archive.extractfile(member)):
                yield member.name, Image.open(io.BytesIO(file.read())).convert("L").crop(_CUT)


def _is_face(name: str) -> bool:
    return re.fullmatch(r"\w+/[^/]+/[^/]+\.jpg", name) is not None
