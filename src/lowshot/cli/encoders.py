"""``lowshot train`` and ``lowshot evaluate``."""

from __future__ import annotations

import json
import shlex
import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowshot.cli.arguments import DataArgument, JsonOption
from lowshot.cli.words import WORDS, measure_words
from lowshot.errors import ConfigError, DataError
from lowshot.text import printable

if TYPE_CHECKING:
    from lowshot.data import Form
    from lowshot.evaluate.report import Report


class Protocol(StrEnum):
    """How an encoder is measured."""

    nway = "nway"
    lake = "lake"
    verify = "verify"
    sequence = "sequence"
    semi = "semi"
    open = "open"
    zero_shot = "zero-shot"
    leave_two_out = "leave-two-out"


def train(
    data: DataArgument,
    method: Annotated[str, typer.Option(help="See `lowshot methods`.")],
    out: Annotated[
        Path, typer.Option(help="The encoder file to write, or NAME.safetensors to keep the method as it is.")
    ],
    val: Annotated[
        str | None,
        typer.Option(help="Data of other classes; `none` learns from all. Default: a tenth of DATA's classes."),
    ] = None,
    preset: Annotated[str, typer.Option(help="`cpu` for two cores, `paper`, or another of `lowshot methods`.")] = "cpu",
    minutes: Annotated[float | None, typer.Option(help="Budget in minutes.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Budget in steps; the same seed then gives the same weights.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, episodes and distortions.")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting of `lowshot methods NAME`.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint of a run that was stopped.")
    ] = False,
) -> None:
    """Learn from a background set and write an encoder file, or the method as it is."""
    run = training_room()
    from rich.console import Console

    budget = {key: value for key, value in {"minutes": minutes, "steps": steps}.items() if value is not None}
    settings: dict[str, Any] = {"seed": seed, **budget}
    for each in set_ or []:
        key, equals, value = each.partition("=")
        if not equals:
            raise ConfigError(f"--set {each}: write key=value")
        if key in budget:
            raise ConfigError(f"--{key} and --set {key} are two budgets: leave one out")
        settings[key] = value
    console = Console(stderr=True)
    trained = run.train_encoder(
        data,
        method,
        out,
        preset=preset,
        settings=settings,
        validation=val,
        resume=resume,
        command=shlex.join(["lowshot", *sys.argv[1:]]),
        console=console,
    )
    found = "" if trained.accuracy is None else f", validation accuracy {trained.accuracy:.2%}"
    done = f"{out}: {trained.steps} steps in {trained.seconds:.0f} s{found}"
    print(printable(done), file=sys.stderr)


def evaluate(
    encoder: Annotated[
        str,
        typer.Argument(help="A name (see `lowshot encoders`), an encoder file, a method's .safetensors, or `words`."),
    ],
    data: DataArgument,
    protocol: Annotated[
        Protocol,
        typer.Option(
            help="Episodes, Lake's 400 trials, same/different pairs, sequences, unlabeled items, unknown ones, classes "
            "known by their attributes alone. (`words` learns the new words of DATA, nonces or chimeras.)"
        ),
    ] = Protocol.nway,
    ways: Annotated[
        int | None,
        typer.Option(min=2, help="Classes an episode, sequence or gallery.  [default: nway, open 20, others 5]"),
    ] = None,
    shots: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="nway, semi, open: support examples a class; open takes several, as 1,2,5.  [default: 1]",
        ),
    ] = None,
    queries: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|DATA",
            help="nway, semi, open: queries a class; open also takes data, to which all classes are then enrolled, and what "
            "is of none of them is unknown.  [default: 5]",
        ),
    ] = None,
    episodes: Annotated[int | None, typer.Option(min=1, help="nway, semi: episodes.  [default: 1000]")] = None,
    within: Annotated[
        str | None, typer.Option(help="nway, semi: an attribute that an episode must not mix, such as alphabet.")
    ] = None,
    apart: Annotated[
        str | None,
        typer.Option(
            help="nway, verify, open: an attribute of which a class's queries have other values than its support, such as "
            "speaker."
        ),
    ] = None,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="verify: pairs; leave-two-out: of classes.  [default: 10000, all]")
    ] = None,
    presentations: Annotated[
        int | None, typer.Option(min=1, help="sequence: items of each class.  [default: 10]")
    ] = None,
    sequences: Annotated[int | None, typer.Option(min=1, help="sequence: how many.  [default: 1000]")] = None,
    unlabeled: Annotated[
        int | None, typer.Option(min=1, help="semi: unlabeled items of each class.  [default: 5]")
    ] = None,
    distractors: Annotated[
        int | None, typer.Option(min=0, help="semi: more classes with unlabeled items only.  [default: 0]")
    ] = None,
    galleries: Annotated[int | None, typer.Option(min=1, help="open: how many.  [default: 20]")] = None,
    diagram: Annotated[
        Path | None, typer.Option(help="open: an SVG file to write, how often answers are right by how sure they are.")
    ] = None,
    recognizer: Annotated[
        str | None,
        typer.Option(help="nway, open: compare so: prototype, neighbor, logistic …  [default: the encoder's way]"),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="zero-shot, leave-two-out: semantic-codes, dap, eszsl or exemplars; words: additive, nonce2vec, "
            "a-la-carte, lampinen-mcclelland, whole-sentence or together.  [default: the first]"
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(help="words: the known words' vectors, glove or by the encoder text.  [default: glove]"),
    ] = None,
    unseen: Annotated[int | None, typer.Option(min=2, help="zero-shot: unseen classes.  [default: 10]")] = None,
    splits: Annotated[
        int | None, typer.Option(min=1, help="zero-shot: how often they are drawn.  [default: 20]")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of what is drawn; not for lake.  [default: 0]")] = None,
    named: Annotated[
        bool,
        typer.Option("--named", help="nway, texts: enroll every class by its name, too; --shots 0: by that alone."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure an encoder on classes it has not seen."""
    from lowshot import evaluate as room
    from lowshot.data import load

    numbers = None if shots is None else _numbers(shots, several=protocol is Protocol.open, least=0 if named else 1)
    given: dict[str, Any] = {
        "ways": ways,
        "shots": numbers,
        "queries": None if queries is None else _queries(queries, data=protocol is Protocol.open),
        "episodes": episodes,
        "within": within,
        "apart": apart,
        "pairs": pairs,
    }
    given |= {"unlabeled": unlabeled, "distractors": distractors, "recognizer": recognizer}
    given |= {"named": named or None, "method": method, "vectors": vectors, "unseen": unseen, "splits": splits}
    given |= {
        "seed": seed,
        "presentations": presentations,
        "sequences": sequences,
        "galleries": galleries,
        "diagram": diagram,
    }
    if encoder == WORDS:
        report = measure_words(data, given | {"protocol": None if protocol is Protocol.nway else protocol})
        print(json.dumps(report.as_dict(), allow_nan=False) if as_json else report)
        return
    options = _applicable(protocol, given)
    if diagram is not None and not diagram.parent.is_dir():
        raise ConfigError(f"--diagram {diagram}: there is no folder {diagram.parent}")
    if protocol is Protocol.lake and data != "omniglot":
        raise DataError(f"Lake's trials are Omniglot's: write `lowshot evaluate {encoder} omniglot --protocol lake`")
    chosen, form = _model(encoder)
    if protocol not in (Protocol.nway, Protocol.lake, Protocol.sequence) and isinstance(chosen, room.Answering):
        raise ConfigError(f"{encoder} gives no features to compare: choose another --protocol")
    result: Report
    match protocol:
        case Protocol.lake:
            result = room.lake_of(chosen)
        case Protocol.verify:
            result = room.verify_of(chosen, load(data, form), **options)
        case Protocol.sequence:
            result = room.sequential_of(chosen, load(data, form), **options)
        case Protocol.semi:
            result = room.semi_of(chosen, load(data, form), **options)
        case Protocol.open:
            options.pop("diagram", None)
            if isinstance(queries := options.get("queries"), str):
                options["queries"] = load(queries, form)
            result = open_set = room.open_set_of(chosen, load(data, form), **options)
            if diagram is not None:
                room.write_diagram(open_set, diagram)
        case Protocol.zero_shot | Protocol.leave_two_out:
            from lowshot.recognize import zero_shot_named as by_name  # only for these

            known = by_name.zero_shot_named(options.pop("method", by_name.NAMES[0]))
            measure = room.zero_shot_of if protocol is Protocol.zero_shot else room.leave_two_out_of
            result = measure(chosen, load(data, form), known, **options)
        case Protocol.nway:
            result = room.nway_of(chosen, load(data, form), **options)
    print(json.dumps(result.as_dict(), allow_nan=False) if as_json else result)


def _model(name: str) -> tuple[Any, Form]:
    """The encoder or trained method of that name or file, and the form of what it takes."""
    if name.endswith(".safetensors"):
        method = training_room("saved").load_method(Path(name))
        return method, method.form
    from lowshot.encoder import Encoder

    encoder = Encoder.load(name)
    return encoder, encoder.card.form


_OPTIONS = {
    Protocol.nway: {"ways", "shots", "queries", "episodes", "within", "apart", "recognizer", "named", "seed"},
    Protocol.lake: set(),
    Protocol.verify: {"pairs", "apart", "seed"},
    Protocol.sequence: {"ways", "presentations", "sequences", "seed"},
    Protocol.semi: {"ways", "shots", "unlabeled", "distractors", "queries", "episodes", "within", "seed"},
    Protocol.open: {"ways", "shots", "queries", "galleries", "apart", "diagram", "recognizer", "seed"},
    Protocol.zero_shot: {"method", "unseen", "splits", "seed"},
    Protocol.leave_two_out: {"method", "pairs", "seed"},
}


def _numbers(shots: str, several: bool, least: int = 1) -> int | tuple[int, ...]:
    """The numbers of shots asked for: one, or where there may be several, all of them."""
    numbers = shots.split(",")
    if not all(number.isdecimal() and int(number) >= least for number in numbers) or (len(numbers) > 1 and not several):
        most = f"numbers from {least} on, as 1,2,5" if several else f"one number from {least} on"
        raise ConfigError(f"--shots {shots}: give {most}" + "; 0 goes with --named" * (shots == "0"))
    return tuple(map(int, numbers)) if several else int(shots)


def _queries(queries: str, data: bool) -> int | str:
    """How many queries a class, or, where there may be such, the name of the data to ask."""
    if queries.isdecimal() and int(queries):
        return int(queries)
    if not data or queries.isdecimal():
        raise ConfigError(f"--queries {queries}: give a number from 1 on{', or data' if data else ''}")
    return queries


def _applicable(protocol: Protocol, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given. Raises ConfigError where one means nothing to the protocol."""
    given = {name: value for name, value in options.items() if value is not None}
    if idle := sorted(given.keys() - _OPTIONS[protocol]):
        raise ConfigError(f"--{idle[0]} means nothing to the {protocol} protocol: leave it out")
    return given


def training_room(part: str = "run") -> Any:
    """A module of the part that needs torch. Raises ConfigError with what to install where torch is missing."""
    try:
        return import_module(f"lowshot.learn.{part}")
    except ImportError as error:
        raise ConfigError(f"this needs {error.name}: pip install 'lowshot[train]'") from None
