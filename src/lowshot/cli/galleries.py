"""``lowshot enroll``, ``identify`` and ``gallery``."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowshot.cli.arguments import DataArgument, JsonOption
from lowshot.cli.progress import progress
from lowshot.cli.tables import print_table
from lowshot.errors import ConfigError
from lowshot.text import printable

if TYPE_CHECKING:
    from lowshot.data.files import FileSet
    from lowshot.gallery import Answer, Gallery, Match, Record

GalleryArgument = Annotated[
    str, typer.Argument(metavar="GALLERY", help="Its file, or milvus+http://host:port/collection.")
]
EncoderOption = Annotated[
    str | None,
    typer.Option(help="Name or file; a new gallery's default is `characters`, an old one keeps its own."),
]

_MANY = 10_000  # files to enroll at once
_LETTERS = 80  # of a text, on a line

app = typer.Typer(help="List, show, remove or move what a gallery holds.", no_args_is_help=True)


def enroll(
    gallery: GalleryArgument,
    data: DataArgument,
    encoder: EncoderOption = None,
    no_images: Annotated[
        bool,
        typer.Option(
            "--no-images", help="A new gallery keeps features only, no pictures, sounds or texts, now and later."
        ),
    ] = False,
    float16: Annotated[
        bool, typer.Option("--float16", help="A new gallery keeps features in half the space, at about three digits.")
    ] = False,
    bulk: Annotated[
        bool,
        typer.Option(
            "--bulk", help="For very many files: batch by batch, without the bad ones; once stopped, it goes on."
        ),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="--bulk: processes that decode.  [default: one a core]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Enroll every item of DATA under its class; all of them or, on any error, none. Makes the gallery if need be.

    Items that are enrolled under their class already are left out. With --bulk the good ones are enrolled and the bad ones
    listed at the end; the status is then 1.
    """
    from lowshot.data import datasets, find_files, load
    from lowshot.gallery import Gallery
    from lowshot.gallery.store import is_there

    files = find_files(data)
    if bulk and files is None:
        raise typer.BadParameter(f"--bulk takes a folder, a zip or a CSV table, not {data}")
    if workers is not None and not bulk:
        raise typer.BadParameter("--workers goes with --bulk")
    new = not is_there(gallery)
    with Gallery.open(gallery, encoder, create=True, float16=float16, images=not no_images) as opened:
        if bulk and files is not None:
            _enroll_bulk(opened, files, workers, as_json)
            return
        before = set() if new else {each.id for each in opened.examples()}
        if files is not None:
            if len(files) > _MANY:
                said = f"lowshot: {len(files)} files, in memory and all or none: --bulk enrolls them batch by batch"
                print(said, file=sys.stderr)
            ids = opened.enroll_files(files)
        else:  # a set by its plain name in its own size, which is what is kept; whatever is filtered as it is compared
            ids = opened.enroll_examples(load(data, None if data in datasets() else opened.card.form))
        enrolled = len(set(ids) - before)
        _print_enrolled(opened, enrolled, len(ids) - enrolled, [], as_json)


def _enroll_bulk(gallery: Gallery, files: FileSet, workers: int | None, as_json: bool) -> None:
    try:
        with progress("enrolling") as report:
            found = gallery.enroll_bulk(files, workers, report)
    except KeyboardInterrupt:
        print(printable(f"lowshot: stopped; {_held(gallery)}: the same command goes on"), file=sys.stderr)
        raise typer.Exit(130) from None
    _print_enrolled(gallery, found.new, found.there, found.bad, as_json)
    if found.bad:
        for name, why in found.bad:
            print(printable(f"lowshot: {name}: {why}"), file=sys.stderr)
        raise typer.Exit(1)


def _print_enrolled(gallery: Gallery, new: int, there: int, bad: Sequence[tuple[str, str]], as_json: bool) -> None:
    if as_json:
        listed = [{"file": name, "reason": why} for name, why in bad]
        held = {"examples": len(gallery), "classes": len(gallery.classes())}
        print(json.dumps({"enrolled": new, "there": there, "bad": listed, **held}))
        return
    skipped = f" ({there} more were there already)" if there else ""
    refused = f", {len(bad)} files cannot be used" if bad else ""
    print(printable(f"enrolled {new} examples{skipped}{refused}; {_held(gallery)}"))


def identify(
    gallery: GalleryArgument,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE…]", help="Files to identify: pictures, sounds or texts.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A sentence to identify; may be given several times.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Candidates to list.")] = 5,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Compare only with examples of this attribute; `a=x,y` for several values."
        ),
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY", help="Predict this attribute first, compare only with classes of its likely values."
        ),
    ] = None,
    gate_recall: Annotated[
        float | None, typer.Option(help="--gate: how often the true values are to be let through.  [default: 0.99]")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="The gallery's encoder, where its file is no longer where it was.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each item is, how sure that is, and which enrolled examples decided it."""
    items: list[Path | str] = [*(files or []), *(text or [])]
    if not items:
        raise typer.BadParameter("say what to identify: FILE…, or --text SENTENCE")
    if gate_recall is not None and not gate:
        raise typer.BadParameter("--gate-recall goes with --gate")
    from lowshot.data.forms import NOUNS
    from lowshot.gallery import Gallery

    with Gallery.open(gallery, encoder) as opened:
        if text and opened.card.modality != "text":
            raise ConfigError(f"{gallery} holds {NOUNS[opened.card.modality]}s: --text is for galleries of texts")
        recall = 0.99 if gate_recall is None else gate_recall
        answers = opened.identify(items, top, _filters(where or []), gate or [], recall)
        decided = [answer.examples[0] for answer in answers]
        sources = [] if as_json else [_source(opened, each) for each in decided]
    if as_json:
        print(json.dumps([_as_dict(item, answer) for item, answer in zip(items, answers, strict=True)]))
        return
    for item, answer, nearest, source in zip(items, answers, decided, sources, strict=True):
        shown = item if isinstance(item, Path) else _brief(item)
        print(printable(f"{shown}: {answer.label or 'unknown'}, confidence {answer.confidence:.0%}"))
        print(printable(f"    candidates: {', '.join(f'{each.label} {each.score:.0%}' for each in answer.candidates)}"))
        print(printable(f"    decided by: example {nearest.id} of {nearest.label} ({source})"))
        print(printable(f"    compared: with {answer.compared} classes, by {answer.recognizer}{_gated(answer)}"))


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
        sources = [] if as_json else [_source(opened, each) for each in records]
    if as_json:
        facts = [
            {**vars(each), "attributes": dict(each.attributes), "added": each.added.isoformat()} for each in records
        ]
        print(json.dumps({"encoder": opened.card.name, "fingerprint": opened.fingerprint, "examples": facts}))
        return
    encoder = f"encoder {opened.card.name} ({opened.fingerprint[:12]})"
    print(printable(f"{gallery}: {len(records)} examples, {encoder}"))
    rows = [
        (str(each.id), each.label, source, f"{each.added:%Y-%m-%d %H:%M}")
        for each, source in zip(records, sources, strict=True)
    ]
    print_table(("id", "class", "text" if opened.card.modality == "text" else "name", "added (UTC)"), rows)


@app.command()
def calibrate(
    gallery: GalleryArgument,
    queries: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Items of the real world under their classes; classes not enrolled are unknown ones.",
        ),
    ] = None,
    recognizer: Annotated[
        str, typer.Option(help="prototype, neighbor, mahalanobis, logistic …; `auto` chooses by leaving examples out.")
    ] = "auto",
) -> None:
    """Learn anew how to compare and how sure to be, from the enrolled examples and from queries that you label."""
    from lowshot.data import load
    from lowshot.gallery import Gallery

    with Gallery.open(gallery) as opened:
        if queries is None:
            items, shown = [], []
        else:
            examples = load(queries, opened.card.form)
            items, shown = list(examples.items), [examples.classes[label] for label in examples.labels]
        enrolled = opened.classes()
        learned = opened.calibrate(items, [label if label in enrolled else None for label in shown], recognizer)
        print(f"compares by {learned.recognizer}; learned from {len(opened)} examples and {len(shown)} queries")
        if strangers := sorted(set(shown) - enrolled.keys()):
            print(printable(f"not enrolled, so unknown: {', '.join(strangers)}"))


@app.command("gate")
def train_gate(
    gallery: GalleryArgument,
    attribute: Annotated[str, typer.Argument(metavar="KEY", help="The attribute to predict.")],
    background: Annotated[
        str | None, typer.Option(metavar="DATA", help="Learn from these labeled examples; default: from the gallery.")
    ] = None,
) -> None:
    """Train the classifier that `identify --gate KEY` asks first; it is kept in the gallery."""
    from lowshot.data import load
    from lowshot.gallery import Gallery

    with Gallery.open(gallery) as opened:
        examples = None if background is None else load(background, opened.card.form)
        gate = opened.train_gate(attribute, examples)
        print(printable(f"{attribute}: tells {len(gate.values_)} values apart ({', '.join(gate.values_)})"))


@app.command()
def describe(
    gallery: GalleryArgument,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The class.")],
    words: Annotated[str | None, typer.Argument(metavar="[WORDS]", help="What it is, for an encoder of texts.")] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option("--attribute", metavar="KEY=VALUE", help="What it has; may be given several times."),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Learn from these what attributes look like; default: from the gallery."),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="For a gallery that is not there yet, which is made: an encoder of texts.")
    ] = None,
) -> None:
    """Enroll a class by what is said of it, without an example."""
    from lowshot.data import load
    from lowshot.gallery import Gallery
    from lowshot.gallery.store import is_there

    if (words is None) == (not attribute):
        raise typer.BadParameter("describe the class: in words, or by --attribute KEY=VALUE")
    pairs = [_pair(each, "--attribute") for each in attribute or []]
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ConfigError("--attribute: one value of each; describe another class by another value")
    if encoder is not None and words is None and background is None and not is_there(gallery):
        raise ConfigError(f"no gallery {gallery!r}, so no example tells what attributes look like: give --background")
    with Gallery.open(gallery, encoder, create=encoder is not None) as opened:
        examples = None if background is None else load(background, opened.card.form)
        (id,) = opened.describe({label: values if words is None else words}, examples)
        print(printable(f"described {label} as example {id}; {_held(opened)}"))


@app.command()
def rename(
    gallery: GalleryArgument,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The class.")],
    to: Annotated[str, typer.Argument(metavar="NEW", help="Its new label; that of another class joins the two.")],
) -> None:
    """Give a class another label."""
    from lowshot.gallery import Gallery

    with Gallery.open(gallery) as opened:
        number = opened.rename_class(label, to)
        print(printable(f"renamed {number} examples; {_held(opened)}"))


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


def _source(gallery: Gallery, example: Match | Record) -> str:
    """Where an example came from; what was said of a class, or the text that someone said, is shown itself."""
    if example.described is not None:
        return f"described: {example.described}"
    if gallery.card.modality == "text" and gallery.keeps_items:
        return _brief(gallery.original(example.id).decode("utf-8-sig"))
    return example.name or "no name"


def _gated(answer: Answer) -> str:
    return "".join(f"; {attribute} taken for {' or '.join(values)}" for attribute, values in answer.gate.items())


def _pair(given: str, option: str) -> tuple[str, str]:
    """``"a=x"`` as a pair."""
    key, equals, value = given.partition("=")
    if not equals or not key:
        raise ConfigError(f"{option} {given}: write key=value")
    return key, value


def _filters(where: Sequence[str]) -> dict[str, list[str]]:
    """``["a=x,y", "b=z"]`` as a mapping."""
    filters: dict[str, list[str]] = {}
    for each in where:
        key, values = _pair(each, "--where")
        filters.setdefault(key, []).extend(values.split(","))
    return filters


def _held(gallery: Gallery) -> str:
    return f"{gallery.place} now holds {len(gallery)} of {len(gallery.classes())} classes"


def _brief(text: str) -> str:
    """A text on one line."""
    return textwrap.shorten(text, _LETTERS, placeholder=" …")


def _as_dict(item: Path | str, answer: Answer) -> dict[str, Any]:
    return {
        **({"file": str(item)} if isinstance(item, Path) else {"text": item}),
        "label": answer.label,
        "confidence": answer.confidence,
        "unknown": answer.unknown,
        "known": answer.known,
        "candidates": [vars(each) for each in answer.candidates],
        "examples": [vars(each) for each in answer.examples],
        "recognizer": answer.recognizer,
        "compared": answer.compared,
        "gate": answer.gate,
    }
