"""What the `speech` encoder, and a network of our own, know of words that are new to them; what `voices` knows of speakers.

    python benchmarks/sounds.py [digits] [commands] [unknown] [speakers] [ours] [speed]

**Digits** (``fsdd``): ten ways, one shot, and never one speaker's recordings of a digit in both support and query. How the
encoder pools its windows was chosen on two of the six speakers, so the other four are measured alone, too. **Commands**
(``speech_commands``): thirty ways. **Unknown**: galleries of fifteen of the thirty words, asked the others, too.
**Speakers**: who says something, by any digit, or by another than was heard, for `voices` and, beside it, `speech`;
whether two say it, and whether it is somebody who was never heard. **Ours**: a network trained in ten minutes on one core,
on five digits by four speakers, and asked the other five by the other two. **Speed**: from a file's bytes to the answer.

``whitened`` compares in the metric of background features (see :class:`~lowshot.recognize.WhitenedPrototype`): for digits
those in the encoder's file, of 20 words that are no digits; for the words those of ``fsdd``.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from runpy import run_path
from typing import Any

import torch
from parts import run_parts

from lowshot import Encoder, Examples, load
from lowshot.encoder import Card, Features, add_card
from lowshot.encoder.named import find
from lowshot.evaluate import OpenSetResult, nway, nway_of, open_set, open_set_of, verify
from lowshot.evaluate.nway import NWayResult
from lowshot.evaluate.report import Report
from lowshot.evaluate.results import Budget, Result
from lowshot.learn.export import to_onnx
from lowshot.learn.run import train_encoder
from lowshot.learn.spectrogram import Spectrogram
from lowshot.recognize import Whitening
from lowshot.recognize.choice import Background
from lowshot.recognize.distances import unit

SECTION = "Words heard once"
CHOSEN_ON = "jackson,theo"
TOLD_BEFORE = {(5, 1): 0.746, (5, 5): 0.936}  # ways and shots: by Resemblyzer's own program
LEARNED, ASKED = (
    "fsdd?digit=0,1,2,3,4&speaker=george,jackson,lucas,nicolas&directions=2",
    "fsdd?digit=5,6,7,8,9&speaker=theo,yweweler",
)
WHITENED = "whitened, by background features"
FEW = "the interval is one over episodes, of five words and two voices in all"
SETTINGS = {"minutes": 10, "network": "stem", "size": 42, "ways": 10, "queries": 4, "sound.rate": 8000}
VALIDATION = "speech_commands?word!=zero,one,two,three,four,five,six,seven,eight,nine"


def digits() -> None:
    """Spoken digits across speakers."""
    encoder = Encoder.load("speech")
    for data, who in (("fsdd", "six speakers"), (f"fsdd?speaker!={CHOSEN_ON}", "the four not chosen on")):
        examples = load(data, encoder.card.form)
        for ways, shots in ((10, 1), (10, 5), (5, 1)):
            protocol = f"{ways}-way {shots}-shot across {who}"
            target = 0.828 if (data, ways, shots) == ("fsdd", 10, 1) else None
            asked = {"ways": ways, "shots": shots, "apart": "speaker"}
            record("digits", protocol, data, target, nway_of(encoder, examples, **asked))
            found = whitened(encoder, examples, encoder.background(), **asked)
            record("digits", protocol, data, target, found, WHITENED)


def commands() -> None:
    """Thirty words, as people say them into their computers."""
    encoder = Encoder.load("speech")
    examples = load("speech_commands", encoder.card.form)
    for shots, target in ((1, 0.405), (5, 0.603)):
        protocol, asked = f"30-way {shots}-shot", {"ways": 30, "shots": shots, "apart": "speaker"}
        record("commands", protocol, "speech_commands", target, nway_of(encoder, examples, **asked))
        found = whitened(encoder, examples, of_digits(encoder), **asked)
        record("commands", protocol, "speech_commands", target, found, WHITENED)


def unknown() -> None:
    """Fifteen words are enrolled; of the others it is to be told that they are not."""
    encoder = Encoder.load("speech")
    background = of_digits(encoder)  # its own is of words that are asked here
    encoder = Encoder(add_card(find("speech").read_bytes(), encoder.card, background))
    examples = load("speech_commands", encoder.card.form)
    report = open_set_of(encoder, examples, ways=15, shots=(1, 5), galleries=100, apart="speaker")
    for found in report.by_shots:
        title = f"unknown words, 15 of 30 enrolled, {found.shots} shot"
        record_unknown(
            "unknown", title, "speech_commands", found, ", other speakers ask", "; background features of `fsdd`"
        )


def speakers() -> None:
    """Who says it. By another digit `speech` is led astray, which learned to hear words whoever says them."""
    for name in ("speech", "voices"):
        encoder = Encoder.load(name)
        examples = load("fsdd:speakers", encoder.card.form)
        features = encoder.embed(examples.items)
        told_apart(encoder, features, examples, None, TOLD_BEFORE if name == "voices" else {})
        told_apart(encoder, features, examples, "digit", {})
    encoder, note = (
        Encoder.load("voices"),
        "the `voices` encoder, whose form and loudness were chosen on these speakers",
    )
    for shots, least in ((1, 6), (5, 10)):
        data = f"speech_commands:speakers?least={least}"
        found = nway_of(encoder, load(data, encoder.card.form), ways=5, shots=shots)
        protocol, budget = f"who speaks, 5-way {shots}-shot, by other words", Budget(hardware=hardware(encoder))
        record("speakers", protocol, data, None, found, note, budget)


def told_apart(
    encoder: Encoder, features: Features, examples: Examples, apart: str | None, targets: dict[tuple[int, int], float]
) -> None:
    """Which of six speakers, whether the same one, and whether one who was never heard."""
    card, data = encoder.card, "fsdd:speakers"
    which = "any digit" if apart is None else f"other {apart}s"
    compared: dict[str, Any] = {"distance": card.distance, "apart": None if apart is None else examples.values(apart)}
    note, budget = f"the `{card.name}` encoder", Budget(hardware=hardware(encoder))
    for ways, shots in ((6, 1), (6, 5), (5, 1), (5, 5)):
        found = nway(features, examples.labels, compare=card.compare, ways=ways, shots=shots, **compared)
        protocol, target = f"who speaks, {ways}-way {shots}-shot, by {which}", targets.get((ways, shots))
        record("speakers", protocol, data, target, found, note, budget)
    pairs = verify(features, examples.labels, **compared)
    save(
        title=f"the same speaker or not, by {which}: {note}",
        data=data,
        protocol=f"{pairs.pairs} pairs",
        measure="accuracy",
        figures=numbers(pairs),
        command="speakers",
        note=f"equal error rate {pairs.eer:.1%}, AUROC {pairs.auroc:.3f}",
        budget=budget,
    )
    compared |= {"compare": card.compare, "background": encoder.background(), "galleries": 100, "ways": 3}
    for shots in (1, 5):
        found = open_set(features, examples.labels, shots=shots, **compared)
        title = f"unknown speakers, 3 of 6 enrolled, {shots} shot, by {which}: {note}"
        record_unknown("speakers", title, data, found, budget=budget)


def ours() -> None:
    """A network of our own, beside the packaged one and the spectrogram itself."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "digits.onnx"
        train_encoder(LEARNED, "prototypical", out, settings=SETTINGS, validation=VALIDATION)
        trained = Encoder.load(out)
    settings = " ".join(f"--set {key}={value}" for key, value in SETTINGS.items())
    worlds = {
        f"our network, `lowshot train '{LEARNED}' --val '{VALIDATION}' --method prototypical {settings}`": trained,
        "the `speech` encoder": Encoder.load("speech"),
        "the spectrograms themselves": spectrograms(trained.card),
    }
    for note, encoder in worlds.items():
        examples = load(ASKED, encoder.card.form)
        config = encoder.card.config
        budget = Budget(seconds=config.get("seconds"), steps=config.get("steps"), hardware=hardware(encoder))
        for shots in (1, 5):
            found = nway_of(encoder, examples, ways=5, shots=shots, apart="speaker")
            protocol = f"5-way {shots}-shot, other digits by two other speakers"
            record("ours", protocol, ASKED, None, found, f"{note}; {FEW}", budget)


def spectrograms(like: Card) -> Encoder:
    """The pictures that our network starts from, compared as they are."""
    size = int(like.config["method"]["size"])
    drawn = torch.nn.Sequential(Spectrogram(like.form, size), torch.nn.Flatten())
    card = like.model_copy(update={"name": "spectrograms", "features": size * size, "config": {}})
    return Encoder(add_card(to_onnx(drawn, like.form), card))


def speed() -> None:
    """From a recording's file to the answer, in process: a second, of which `voices` hears 3.2 with the silence around."""
    measure = run_path(str(Path(__file__).with_name("identify.py")))["measure"]
    for name, target in (("speech", 30.0), ("voices", None)):
        encoder = Encoder.load(name)
        of = "" if name == "speech" else f": the `{name}` encoder"
        save(
            title=f"identify one second of sound, in process{of}",
            data="speech_commands",
            protocol="20 classes, 1 example each, WAV bytes",
            measure="p50",
            unit="ms",
            better="lower",
            target=target,
            figures=measure(encoder, "speech_commands", 160),
            command="speed",
            budget=Budget(hardware=hardware(encoder)),
        )


def whitened(
    encoder: Encoder, examples: Examples, background: Background | None, *, apart: str, **asked: int
) -> NWayResult:
    """As :func:`nway_of`, in the metric of the background."""
    assert background is not None
    features = unit(Whitening.of(*background)(encoder.embed(examples.items)))
    held = examples.values(apart)
    return nway(features, examples.labels, distance="cosine", compare="prototype", apart=held, **asked)


def of_digits(encoder: Encoder) -> Background:
    """Background features of spoken digits: two recordings of each digit by each speaker."""
    spoken = load("fsdd", encoder.card.form)
    few = spoken.take(spoken.places % 50 < 2)
    return encoder.embed(few.items), few.labels


def hardware(encoder: Encoder) -> str:
    """What the encoder was trained on."""
    return str(encoder.card.config.get("hardware", f"encoder `{encoder.card.name}`"))


def record(
    command: str,
    protocol: str,
    data: str,
    target: float | None,
    found: NWayResult,
    note: str = "as the card says",
    budget: Budget | None = None,
) -> None:
    """Keep what episodes gave."""
    save(
        title=f"{protocol}: {re.split('[,;]', note)[0]}",
        data=data,
        protocol=protocol,
        measure="accuracy",
        target=target,
        figures=numbers(found),
        episodes=found.episodes,
        command=command,
        note=note,
        budget=budget,
    )


def record_unknown(
    command: str,
    title: str,
    data: str,
    found: OpenSetResult,
    asked: str = "",
    note: str = "",
    budget: Budget | None = None,
) -> None:
    """Keep how well galleries told the unknown."""
    save(
        title=title,
        data=data,
        protocol=f"{found.galleries} galleries{asked}",
        measure="auroc",
        unit="AUROC",
        figures=numbers(found) | {"ci95": found.auroc_ci95},
        command=command,
        note=f"open accuracy {found.open_accuracy:.1%}, closed {found.accuracy:.1%}{note}",
        budget=budget,
    )


def numbers(report: Report) -> dict[str, float]:
    """The figures of a report that are plain numbers."""
    return {key: value for key, value in report.as_dict().items() if isinstance(value, int | float)}


def save(title: str, command: str, budget: Budget | None = None, **facts: Any) -> None:
    """Write a result and print it."""
    budget = budget or Budget(hardware="encoder `speech`")
    made = f"python benchmarks/sounds.py {command}"
    result = Result(section=SECTION, title=title, seed=0, budget=budget, command=made, **facts)
    name = "".join(c if c.isalnum() else " " for c in title.lower())
    result.save(Path("results") / f"sounds-{command}-{'-'.join(name.split())}.json")
    print(f"{title}: {result.show(result.value, result.figures.get('ci95'))} {result.note}", flush=True)


if __name__ == "__main__":
    run_parts(digits, commands, unknown, speakers, ours, speed)
