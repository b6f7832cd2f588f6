"""Every method on one footing: trained on the same background sets, measured by the same protocols.

A *track* is a background set and the numbers measured after training on it; tracks of one background set share what was
trained. A number whose result file was made with the same settings is not measured again, nor is a method trained whose
file is there, so a run that was stopped goes on.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowshot.data import load
from lowshot.errors import ConfigError
from lowshot.evaluate.episodes import Answering
from lowshot.evaluate.lake import lake_of
from lowshot.evaluate.nway import nway_of
from lowshot.evaluate.published import LAKE, NOTES, PRESENTATIONS, PUBLISHED, TARGETS
from lowshot.evaluate.report import Report
from lowshot.evaluate.results import FOLDER, Budget, Result
from lowshot.evaluate.sequences import sequential_of

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Column:
    """One number of every method.

    Attributes:
        name: of the column.
        options: of ``lowshot evaluate`` that measure it.
        data: what is loaded for it.
        measure: from an encoder or a trained method to the figures.
        figure: which figure is the number.
        ways: classes a question.
        one_by_one: items come one after another, which methods that answer whole episodes cannot be asked.
    """

    name: str
    options: str
    data: str
    measure: Callable[[Any], Report]
    figure: str
    ways: int
    one_by_one: bool = False


@dataclass(frozen=True)
class Track:
    """A background set, and what is measured after training on it."""

    name: str
    title: str
    background: str
    columns: tuple[Column, ...]


def _presentation(presentation: int, name: str) -> Column:
    def measure(model: Any) -> Report:
        form = model.form if isinstance(model, Answering) else model.card.form
        return sequential_of(model, load(data, form)).at(presentation)

    data = "omniglot:vinyals-test"
    options = f"{data} --protocol sequence --ways 5 --presentations 10 --sequences 1000 --seed 0"
    return Column(name, options, data, measure, "accuracy", ways=5, one_by_one=True)


def _nway(ways: int, shots: int) -> Column:
    def measure(model: Any) -> Report:
        form = model.form if isinstance(model, Answering) else model.card.form
        return nway_of(model, load(data, form), ways=ways, shots=shots)

    data = "omniglot:vinyals-test"
    options = f"{data} --ways {ways} --shots {shots} --queries 5 --episodes 1000 --seed 0"
    return Column(f"{ways}-way {shots}-shot", options, data, measure, "accuracy", ways)


TRACKS = (
    Track(
        "vinyals",
        "Vinyals split",
        "omniglot:vinyals-trainval",
        tuple(_nway(ways, shots) for ways in (5, 20) for shots in (1, 5)),
    ),
    Track(
        "lake",
        "Lake's 400 trials",
        "omniglot:background?rotations=4",
        (Column(LAKE, "omniglot --protocol lake", "omniglot", lake_of, "error", ways=20),),
    ),
    Track(
        "sequences",
        "5-way sequences",
        "omniglot:vinyals-trainval",
        tuple(_presentation(k, name) for k, name in zip((2, 5, 10), PRESENTATIONS, strict=True)),
    ),
)


def find_tracks(names: Sequence[str] | None) -> tuple[Track, ...]:
    """Tracks by name; all for None. Raises ConfigError, listing the names, where there is none of that name."""
    by_name = {track.name: track for track in TRACKS}
    if unknown := [name for name in names or () if name not in by_name]:
        raise ConfigError(f"no track {unknown[0]!r}; there are {', '.join(by_name)}")
    return TRACKS if names is None else tuple(by_name[name] for name in names)


@dataclass(frozen=True)
class Bench:
    """Trains and measures.

    Attributes:
        preset: of every method.
        trained: folder of trained files.
        results: folder of result files.
        console: where progress goes; None for none.
    """

    preset: str = "cpu"
    trained: Path = Path("runs")
    results: Path = FOLDER
    console: Console | None = None

    def run(self, methods: Sequence[str], tracks: Sequence[Track] = TRACKS) -> None:
        """Measure methods by name, on every track.

        Raises:
            ConfigError: no such method or preset.
            DataError, TrainingError: see :func:`lowshot.learn.run.train_encoder`.
        """
        from lowshot.learn.methods import find_method
        from lowshot.learn.run import configure

        for name in methods:  # before hours are spent
            configure(find_method(name), self.preset, {})
        for track in tracks:
            for name in methods:
                self._run(name, track)

    def train(self, method: str, track: Track) -> Path:
        """The file of a trained method, which is trained unless it is there."""
        from lowshot.learn.methods import find_method
        from lowshot.learn.run import configure, train_encoder
        from lowshot.learn.saved import SUFFIX
        from lowshot.learn.trainer import Interrupted

        config, _ = configure(find_method(method), self.preset, {})
        suffix = SUFFIX if config.obstacle or config.approximation else ".onnx"  # the method itself is measured
        digest = self._digest(method, track)[:8]
        file = self.trained / f"{method}-{self.preset}-{digest}{suffix}"
        if not file.is_file():
            self.trained.mkdir(parents=True, exist_ok=True)
            command = (
                f"lowshot train {shlex.quote(track.background)} --val none --method {method} --preset {self.preset}"
            )
            try:
                train_encoder(
                    track.background,
                    method,
                    file,
                    preset=self.preset,
                    settings={"seed": 0},
                    validation="none",
                    resume=True,
                    command=f"{command} --seed 0 --out {method}{suffix}",
                    console=self.console,
                )
            except Interrupted as stopped:
                raise Interrupted(f"{str(stopped).partition(';')[0]}: the same command goes on from there") from None
        return file

    def _run(self, method: str, track: Track) -> None:
        missing = [column for column in self._possible(method, track) if not self._known(method, track, column)]
        if not missing:
            return
        file = self.train(method, track)
        model = _load(file)
        for column in missing:
            self._measure(method, track, column, file, model)

    def _possible(self, method: str, track: Track) -> list[Column]:
        """The columns that a method can be asked, known before it is trained."""
        from lowshot.learn.methods import find_method
        from lowshot.learn.run import configure
        from lowshot.learn.sequence import SequenceMethod

        chosen = find_method(method)
        config, _ = configure(chosen, self.preset, {})
        one_by_one = issubclass(chosen, SequenceMethod) or not (config.obstacle or config.approximation)
        return [
            column
            for column in track.columns
            if (one_by_one or not column.one_by_one) and (config.most_ways is None or column.ways <= config.most_ways)
        ]

    def _measure(self, method: str, track: Track, column: Column, file: Path, model: Any) -> None:
        from lowshot.learn.methods import find_method

        figures = column.measure(model).as_dict()
        story = model.card
        Result(
            section=track.title,
            title=find_method(method).record.title,
            column=column.name,
            data=column.data,
            protocol=column.name,
            measure=column.figure,
            better="lower" if column.figure == "error" else "higher",
            figures={key: value for key, value in figures.items() if isinstance(value, int | float)},
            target=TARGETS.get((method, self.preset, column.name)),
            published=PUBLISHED.get((method, column.name)) if self.preset in ("cpu", "paper") else None,
            seed=figures.get("seed"),
            episodes=figures.get("episodes"),
            budget=Budget(**{key: story.config.get(key) for key in ("seconds", "steps", "hardware")}),
            command=f"{story.command} ; lowshot evaluate {method}{file.suffix} {column.options}",
            note=": ".join(filter(None, [f"`{self.preset}` preset", NOTES.get((method, self.preset))])),
            settings=self._digest(method, track),
        ).save(self._file(method, track, column))
        if self.console:
            self.console.print(f"{method}, {column.name}: {figures[column.figure]:.2%}", highlight=False)

    def _known(self, method: str, track: Track, column: Column) -> bool:
        file = self._file(method, track, column)
        return file.is_file() and Result.load(file).settings == self._digest(method, track)

    def _file(self, method: str, track: Track, column: Column) -> Path:
        slug = "-".join(part for part in "".join(c if c.isalnum() else " " for c in column.name).split())
        return self.results / f"{track.name}-{method}-{self.preset}-{slug}.json".lower()

    def _digest(self, method: str, track: Track) -> str:
        """Of all that decides what is learned."""
        from lowshot.learn.methods import find_method
        from lowshot.learn.run import configure

        config, recipe = configure(find_method(method), self.preset, {"seed": 0})
        everything = [track.background, config.model_dump(mode="json"), recipe.model_dump(mode="json")]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]


def _load(file: Path) -> Any:
    from lowshot.encoder import Encoder
    from lowshot.learn.saved import SUFFIX, load_method

    return load_method(file) if file.suffix == SUFFIX else Encoder.load(file)
