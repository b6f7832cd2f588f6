"""``lowshot gallery check``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowshot.cli.arguments import JsonOption, check_writable
from lowshot.cli.galleries import GalleryArgument
from lowshot.cli.tables import print_table
from lowshot.disk import write_atomically
from lowshot.errors import ConfigError
from lowshot.text import printable

if TYPE_CHECKING:
    from lowshot.data.forms import Modality
    from lowshot.gallery.check import Check


def check(
    gallery: GalleryArgument,
    encoder: Annotated[
        str | None, typer.Option(help="The gallery's encoder, where its file is no longer where it was.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report with the items side by side.")
    ] = None,
    gate_recall: Annotated[float, typer.Option(help="How often a gate must keep the true value.")] = 0.99,
    most: Annotated[int, typer.Option(min=1, help="Findings of each kind to list.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of the examples that are held out.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with a gallery, and how well it will do, from its examples alone.

    Expected accuracy by the number of examples, confused classes, examples that look mislabeled or are there twice, how well
    unknown classes are refused, and where one more example helps most.
    """
    from lowshot.data.forms import NOUNS
    from lowshot.gallery import Gallery
    from lowshot.gallery.check import check as checked
    from lowshot.recognize.gate import check_recall

    if page is not None:
        if page.suffix.lower() not in (".html", ".htm"):  # or a slip would write over a gallery or an item
            raise ConfigError(f"--html {page}: name it {page.stem}.html")
        check_writable(page, "--html")
    check_recall(gate_recall)
    with Gallery.open(gallery, encoder) as opened:
        found = checked(opened, gate_recall=gate_recall, seed=seed, most=most)
        held = opened.examples()
        names = {each.id: each.name for each in held}
        described = {each.id: each.described for each in held if each.described}
        if page is not None:
            from lowshot.gallery.check_page import check_page

            content = check_page(
                found,
                place=opened.place,
                encoder=opened.card.name,
                form=opened.card.form,
                original=opened.original,
                names=names,
                described=described,
                command=shlex.join(["lowshot", *sys.argv[1:]]),
            )
            write_atomically(page, content)
    if as_json:
        print(json.dumps(found.as_dict()))
        return
    said = {id: f"described: {words}" for id, words in described.items()}
    _print(found, names | said, opened.card.modality)
    if page is not None:
        print(f"\nThe {NOUNS[opened.card.modality]}s, side by side: {printable(page)}")


def _print(found: Check, names: dict[int, str], modality: Modality) -> None:
    from lowshot.data.forms import NOUNS, SEEM

    print(f"{found.examples} examples of {found.classes} classes, compared by {found.recognizer}")
    for note in found.notes:
        print(f"note: {note}")

    def shown(id: int) -> str:
        return f"{id} {names.get(id, '')}".strip()

    _section(
        "expected accuracy",
        ("examples a class", "right", "95 % interval", "by"),
        [
            (str(each.shots), f"{each.accuracy:.1%}", f"{each.low:.1%} – {each.high:.1%}", each.how)
            for each in found.accuracy
        ],
    )
    if found.unknowns is not None:
        rates = (
            f"AUROC {found.unknowns.auroc:.3f}, {found.unknowns.fpr95:.1%} taken for known where 95 % of the known are"
        )
        print(f"\nunknown classes: {rates} ({found.unknowns.how})")
    _section(
        f"probably mislabeled: {found.mislabeled_in_all if found.asked else 'cannot be said'}",
        ("example", "class", f"{SEEM[modality]}s like", "nearest there", "clearness"),
        [(shown(each.id), each.label, each.rival, shown(each.like), f"{each.excess:.1f}") for each in found.mislabeled],
    )
    _section(
        f"the same {NOUNS[modality]} twice: {found.duplicates_in_all}",
        ("examples", "classes", "what"),
        [
            (
                ", ".join(map(shown, each.ids[:4])) + (" …" if len(each.ids) > 4 else ""),
                ", ".join(dict.fromkeys(each.labels[:4])),
                "same file" if each.exact else "nearly the same",
            )
            for each in found.duplicates
        ],
    )
    _section(
        f"confused classes: {found.confused_in_all}",
        ("class", "class", "share", "examples", "by"),
        [
            (*each.labels, f"{each.share:.0%}", ", ".join(shown(seen.id) for seen in each.seen), each.how)
            for each in found.confused
        ],
    )
    _section(
        "one more example helps most",
        ("class", "examples now", "gain"),
        [(each.label, str(each.examples), f"{100 * each.gain:+.2f} points") for each in found.gains],
    )
    if found.gates:
        _section(
            "gates",
            ("attribute", "first guess right", "true value kept", "values kept", "comparisons saved"),
            [
                (
                    name,
                    f"{each.accuracy:.0%}",
                    f"{each.recall:.1%}",
                    f"{each.kept:.1f} of {each.values}",
                    f"{1 - each.compared:z.0%}",
                )
                for name, each in found.gates.items()
            ],
        )


def _section(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n{title}")
    if rows:
        print_table(titles, rows)
