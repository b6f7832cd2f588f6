"""``lowshot enroll``, ``identify`` and ``gallery``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowshot.cli.arguments import DataArgument, JsonOption
from lowshot.cli.tables import print_table
from lowshot.text import printable

if TYPE_CHECKING:
    from lowshot.gallery import Answer, Gallery

GalleryArgument = Annotated[
    str, typer.Argument(metavar="GALLERY", help="Its file, or milvus+http://host:port/collection.")
]
EncoderOption = Annotated[
    str | None,
    typer.Option(help="Name or file; a new gallery's default is `characters`, an old one keeps its own."),
]

app = typer.Typer(help="List, show or remove what a gallery holds.", no_args_is_help=True)


def enroll(
    gallery: GalleryArgument,
    data: DataArgument,
    encoder: EncoderOption = None,
) -> None:
    """Enroll every picture of DATA under its class; all of them or, on any error, none. Makes the gallery if need be.

    Pictures that are enrolled under their class already are left out.
    """
    from lowshot.data import datasets, find_files, load
    from lowshot.gallery import Gallery
    from lowshot.gallery.store import is_there

    files = find_files(data)
    new = not is_there(gallery)
    with Gallery.open(gallery, encoder, create=True) as opened:
        before = set() if new else {each.id for each in opened.examples()}
        if files is not None:
            ids = opened.enroll_files(files)
        else:  # a set by its plain name in its own size, which is what is kept; whatever is filtered as it is compared
            ids = opened.enroll_examples(load(data, None if data in datasets() else opened.card.form))
        enrolled = len(set(ids) - before)
        skipped = f" ({len(ids) - enrolled} more were there already)" if len(ids) > enrolled else ""
        print(printable(f"enrolled {enrolled} examples{skipped}; {_held(opened)}"))


def identify(
    gallery: GalleryArgument,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Pictures to identify.")],
    top: Annotated[int, typer.Option(min=1, help="Candidates to list.")] = 5,
    encoder: Annotated[
        str | None, typer.Option(help="The gallery's encoder, where its file is no longer where it was.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each picture shows, how sure that is, and which enrolled examples decided it."""
    from lowshot.gallery import Gallery

    with Gallery.open(gallery, encoder) as opened:
        answers = opened.identify(files, top=top)
    if as_json:
        print(json.dumps([_as_dict(file, answer) for file, answer in zip(files, answers, strict=True)]))
        return
    for file, answer in zip(files, answers, strict=True):
        nearest = answer.examples[0]
        print(printable(f"{file}: {answer.label or 'unknown'}, confidence {answer.confidence:.0%}"))
        print(printable(f"    candidates: {', '.join(f'{each.label} {each.score:.0%}' for each in answer.candidates)}"))
        print(printable(f"    decided by: example {nearest.id} of {nearest.label} ({nearest.name or 'no name'})"))


@app.command("list")
def list_classes(gallery: GalleryArgument, as_json: JsonOption = False) -> None:
    """List the classes and how many examples each has."""
    from lowshot.gallery import Gallery

    with Gallery.open(gallery) as opened:
        classes = opened.classes()
    if as_json:
        print(json.dumps(classes))
    else:
        print_table(("class", "examples"), [(label, str(count)) for label, count in classes.items()])


@app.command()
def show(
    gallery: GalleryArgument,
    label: Annotated[str | None, typer.Option(help="Only this class.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the encoder and every enrolled example."""
    from lowshot.gallery import Gallery

    with Gallery.open(gallery) as opened:
        records = opened.examples(label)
    if as_json:
        facts = [
            {**vars(each), "attributes": dict(each.attributes), "added": each.added.isoformat()} for each in records
        ]
        print(json.dumps({"encoder": opened.card.name, "fingerprint": opened.fingerprint, "examples": facts}))
        return
    encoder = f"encoder {opened.card.name} ({opened.fingerprint[:12]})"
    print(printable(f"{gallery}: {len(records)} examples, {encoder}"))
    rows = [(str(each.id), each.label, each.name, f"{each.added:%Y-%m-%d %H:%M}") for each in records]
    print_table(("id", "class", "name", "added (UTC)"), rows)


@app.command()
def remove(
    gallery: GalleryArgument,
    label: Annotated[str | None, typer.Option(help="Remove this class.")] = None,
    ids: Annotated[
        list[int] | None, typer.Option("--id", help="Remove this example; may be given several times.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a class, or single examples by their ids."""
    from lowshot.gallery import Gallery

    if (label is None) == (not ids):
        raise typer.BadParameter("say what to remove: --label CLASS, or --id N")
    with Gallery.open(gallery) as opened:
        number = opened.remove_class(label) if label is not None else opened.remove(ids or [])
        if as_json:
            print(json.dumps({"removed": number, "examples": len(opened), "classes": len(opened.classes())}))
        else:
            print(printable(f"removed {number} examples; {_held(opened)}"))


def _held(gallery: Gallery) -> str:
    return f"{gallery.place} now holds {len(gallery)} of {len(gallery.classes())} classes"


def _as_dict(file: Path, answer: Answer) -> dict[str, Any]:
    return {
        "file": str(file),
        "label": answer.label,
        "confidence": answer.confidence,
        "unknown": answer.unknown,
        "candidates": [vars(each) for each in answer.candidates],
        "examples": [vars(each) for each in answer.examples],
    }
