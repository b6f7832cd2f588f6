"""``lowshot demo``: one example each of classes the encoder never saw, then the rest, then classes nobody enrolled."""

from __future__ import annotations

import shlex
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowshot.cli.arguments import check_writable
from lowshot.cli.serving import serving_room
from lowshot.cli.tables import print_table
from lowshot.text import printable

if TYPE_CHECKING:
    from lowshot.data import Examples
    from lowshot.encoder import Encoder
    from lowshot.gallery import Answer

_QUERIES = 5  # a class
_TRAINING_MINUTES = 2.0


class DemoData(StrEnum):
    """What the demo shows."""

    omniglot = "omniglot"
    digits = "digits"


@dataclass(frozen=True)
class Shown:
    """One query, the answer, and the truth: a label, or None for a class that is not enrolled."""

    picture: bytes
    answer: Answer
    truth: str | None

    @property
    def right(self) -> bool:
        """Whether the answer is the truth."""
        return self.answer.label == self.truth

    @property
    def missed(self) -> bool:
        """Whether it was called unknown although its class is enrolled."""
        return self.answer.unknown and not self.right

    @property
    def named_wrongly(self) -> bool:
        """Whether it was given the name of a class it is not of."""
        return not self.answer.unknown and not self.right


def demo(
    data: Annotated[
        DemoData | None, typer.Option(help="Default: omniglot where its files are at hand, else digits.")
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Train an encoder first: two minutes, needs lowshot[train].")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="The picture report to write.  [default: lowshot-demo.html]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of classes and examples.")] = 1,
    serve: Annotated[
        bool, typer.Option("--serve", help="Instead of the report, open a page on which to draw, until Ctrl-C.")
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="--serve: only print the address.")] = False,
) -> None:
    """Enroll one real example each of new classes, identify others, try unknown ones; writes a picture report."""
    if no_browser and not serve:
        raise typer.BadParameter("--no-browser goes with --serve")
    if serve and out is not None:
        raise typer.BadParameter("--serve opens a page: leave out --out")
    report = out or Path("lowshot-demo.html")
    if not serve:
        check_writable(report, "--out")
    chosen = data or _at_hand()
    with tempfile.TemporaryDirectory() as folder:
        file = str(_train(chosen, Path(folder))) if train else "characters"
        if serve:
            _serve(Path(folder), file, chosen, seed, no_browser)
        else:
            _show(Path(folder), file, chosen, seed, report)


def _show(folder: Path, encoder_file: str, chosen: DemoData, seed: int, out: Path) -> None:
    """Try it, print how well it went, and write the report."""
    from lowshot.cli.report import write_report
    from lowshot.encoder import Encoder

    encoder = Encoder.load(encoder_file)
    support, queries, unknown = _choose(_load(chosen), _ways(chosen), seed)
    enrolled, shown, seconds = _run(folder, encoder, support, queries, unknown)
    _print_summary(encoder, chosen, _ways(chosen), shown, seconds)
    write_report(out, encoder.card.name, enrolled, shown, seed, shlex.join(["lowshot", *sys.argv[1:]]))
    print(f"The pictures, with every answer: {printable(out)}")


def _serve(folder: Path, encoder_file: str, chosen: DemoData, seed: int, no_browser: bool) -> None:
    """Serve a gallery of one example each, which is gone at the end."""
    settings = serving_room("settings").Settings.of(
        gallery=str(folder / "demo.gallery"), encoder=encoder_file, port=0, log=False
    )
    serve = serving_room("run").serve
    from lowshot.gallery import Gallery

    with Gallery.open(settings.gallery, encoder_file, create=True) as gallery:
        gallery.enroll_examples(_choose(_load(chosen), _ways(chosen), seed)[0])

    def ready(address: str) -> None:
        print(f"{_ways(chosen)} classes, one example each: {address} (Ctrl-C ends it)", flush=True)
        if not no_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # some wait for the browser

    serve(settings, ready)


def _load(chosen: DemoData) -> Examples:
    from lowshot.data import load

    return load("omniglot:evaluation" if chosen is DemoData.omniglot else "digits")


def _ways(chosen: DemoData) -> int:
    return 20 if chosen is DemoData.omniglot else 5


def _at_hand() -> DemoData:
    from lowshot.data.locate import find
    from lowshot.data.omniglot import ARCHIVES

    return DemoData.omniglot if all(find(each.path) for each in ARCHIVES.values()) else DemoData.digits


def _train(chosen: DemoData, folder: Path) -> Path:
    """A new encoder, from the background alphabets or, where there are none, from letters of fonts."""
    from rich.console import Console

    from lowshot.cli.encoders import training_room

    background = "omniglot:background?rotations=4" if chosen is DemoData.omniglot else "glyphs"
    out = folder / "demo.onnx"
    console = Console(stderr=True)
    console.print(f"Training Prototypical Networks on {background} for {_TRAINING_MINUTES:g} minutes")
    settings = {"minutes": _TRAINING_MINUTES}
    training_room().train_encoder(background, "prototypical", out, settings=settings, console=console)
    return out


def _choose(examples: Examples, ways: int, seed: int) -> tuple[Examples, Examples, Examples]:
    """One example of each of some classes, others of the same classes, and as many of other classes."""
    from lowshot.data import EpisodeSampler

    sampler = EpisodeSampler(examples.labels)
    episode = sampler.draw(1, ways, 1, _QUERIES, unknown_ways=ways, seed=seed)
    support, query, unknown = (
        examples.take(each.ravel()) for each in (episode.support, episode.query, episode.unknown)
    )
    return support, query, unknown


def _run(
    folder: Path, encoder: Encoder, support: Examples, queries: Examples, unknown: Examples
) -> tuple[dict[str, bytes], list[Shown], float]:
    """Enroll and identify. Returns the enrolled pictures by label, what was asked, and seconds a query."""
    from lowshot.gallery import Gallery
    from lowshot.gallery.originals import contents

    with Gallery.open(folder / "demo.gallery", encoder, create=True) as gallery:
        gallery.enroll_examples(support)
        enrolled = {record.label: gallery.original(record.id) for record in gallery.examples()}
        asked = [*queries.items, *unknown.items]
        truth: list[str | None] = [*(queries.classes[label] for label in queries.labels), *[None] * len(unknown)]
        gallery.identify(asked[:1])  # the first question also learns what unknown looks like
        start = time.perf_counter()
        answers = [gallery.identify([picture])[0] for picture in asked]
        seconds = (time.perf_counter() - start) / len(asked)
    return enrolled, [Shown(*each) for each in zip(contents(asked), answers, truth, strict=True)], seconds


def _print_summary(encoder: Encoder, chosen: DemoData, ways: int, shown: Sequence[Shown], seconds: float) -> None:
    known = [each for each in shown if each.truth is not None]
    unknown = [each for each in shown if each.truth is None]
    best = sum(each.answer.candidates[0].label == each.truth for each in known)
    what = "handwritten characters of 20 alphabets" if chosen is DemoData.omniglot else "handwritten digits"
    print(f"{ways} classes of {what} that the encoder {encoder.card.name!r} never saw, one example of each enrolled:\n")
    rows = [
        ("nearest class is right", len(known), best),
        ("answered right", len(known), sum(each.right for each in known)),
        ("named wrongly", len(known), sum(each.named_wrongly for each in known)),
        ("known, but called unknown", len(known), sum(each.missed for each in known)),
        ("never enrolled, called unknown", len(unknown), sum(each.right for each in unknown)),
    ]
    print_table(("", "queries", "number", "share"), [(what, str(of), str(n), f"{n / of:.0%}") for what, of, n in rows])
    print(f"\n{1000 * seconds:.1f} ms a query, one at a time, without torch. One draw: --seed makes others.")
