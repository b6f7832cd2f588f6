"""What was measured, one JSON file a result, and the page made of all of them.

``python -m lowshot.evaluate.results`` makes ``docs/results.md`` of the files in ``results/``. Every number on the page
comes from a file, with the command that made it, what it cost, and the published number beside it.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lowshot.disk import write_atomically
from lowshot.errors import DataError, LowshotError

FOLDER, PAGE = Path("results"), Path("docs/results.md")
FIGURE, FIGURE_OF = "accuracy.svg", ("5-way 1-shot", "20-way 1-shot")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Published(_Frozen):
    """A number someone else published, in the unit of the result.

    Attributes:
        value: the number; a fraction where the result is one.
        source: paper and table.
        sure: ``read`` in the source itself, or ``recalled`` from memory or second hand: to be verified.
    """

    value: float
    source: str
    sure: Literal["read", "recalled"]


class Budget(_Frozen):
    """What it cost to get there: training, where there was any."""

    seconds: float | None = Field(default=None, ge=0)
    steps: int | None = Field(default=None, ge=0)
    hardware: str

    def __str__(self) -> str:
        time = "" if self.seconds is None else f"{self.seconds:.0f} s"
        steps = "" if self.steps is None else f"{self.steps} steps"
        return ", ".join(filter(None, [time, steps, self.hardware]))


class Result(_Frozen):
    """One number with all that is needed to judge and to repeat it.

    Attributes:
        section: the heading it is listed under.
        title: what was measured: the row's name.
        data, protocol: on which data and by which rules.
        measure: which of the figures is *the* number.
        unit: ``%`` where the figures are fractions, ``points`` where they are differences of such; otherwise printed as it
            is (``µs``, ``ms``, ``×``).
        better: whether a ``higher`` or a ``lower`` number is better.
        figures: everything measured, for instance what ``lowshot evaluate --json`` printed. ``ci95`` is the interval.
        target: what was to be reached.
        published: what others reached by the same protocol.
        seed, episodes: of the evaluation.
        budget: what it cost.
        command: what made it.
        column: results of one section that have one make a matrix: a row a title, a column each.
        settings: fingerprint of all that decides what was learned; results of other settings are made anew.
        note: anything a reader must know to compare rightly.
        date, version: when, and with which lowshot.

    Example:
        >>> result = Result(
        ...     section="Anchors",
        ...     title="Modified Hausdorff distance",
        ...     data="omniglot",
        ...     protocol="Lake's 400 trials",
        ...     measure="error",
        ...     better="lower",
        ...     figures={"error": 0.3875, "trials": 400},
        ...     target=0.4,
        ...     budget=Budget(hardware="2 CPU cores"),
        ...     command="pytest tests/evaluate/test_anchors.py",
        ... )
        >>> result.verdict
        'reached'
    """

    section: str
    title: str
    data: str
    protocol: str
    measure: str
    unit: str = "%"
    better: Literal["higher", "lower"] = "higher"
    figures: dict[str, float | int | None]
    target: float | None = None
    published: Published | None = None
    seed: int | None = None
    episodes: int | None = None
    budget: Budget
    command: str
    column: str = ""
    settings: str = ""
    note: str = ""
    date: str = Field(default_factory=lambda: date.today().isoformat(), pattern=r"^\d{4}-\d\d-\d\d$")
    version: str = Field(default_factory=lambda: version("lowshot"))

    @model_validator(mode="after")
    def _measured(self) -> Result:
        if self.figures.get(self.measure) is None:
            raise ValueError(f"the figures have no number {self.measure!r}, the one to be shown")
        return self

    @property
    def value(self) -> float:
        """The number itself."""
        return float(self.figures[self.measure] or 0)

    @property
    def missed_by(self) -> float:
        """How far from the target, in the result's unit; 0 where it was reached or there is none."""
        if self.target is None:
            return 0.0
        return max(0.0, self.target - self.value if self.better == "higher" else self.value - self.target)

    @property
    def verdict(self) -> str:
        """``reached``, ``missed by …``, or a dash where there is no target."""
        if self.target is None:
            return "–"
        if not self.missed_by:
            return "reached"
        # Percent of what? A difference of percentages is in points.
        return f"missed by {self.show(self.missed_by).replace('%', 'points')}"

    def show(self, number: float, interval: float | None = None) -> str:
        """A number in the result's unit, with its interval."""
        scale, digits = (100, ".2f") if self.unit in ("%", "points") else (1, ".4g")
        shown = f"{number * scale:{digits}}"
        if interval is not None:
            shown += f" ± {interval * scale:{digits}}"
        return f"{shown} {self.unit}".rstrip()

    def save(self, path: Path) -> None:
        """Write the file, all or nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{self.model_dump_json(indent=2, exclude_none=True)}\n".encode())

    @classmethod
    def load(cls, path: Path) -> Result:
        """Read a file. Raises DataError, which names the file and what is wrong in it."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "file"
            raise DataError(f"{path} is no result: {where}: {first['msg']}") from None


def render(results: Sequence[Result]) -> str:
    """The page, in Markdown: what was missed first, then a table a section."""
    ordered = sorted(results, key=lambda result: (result.section, not result.column))
    tables = [
        (_matrix if matrix else _section)(name, list(rows))
        for (name, matrix), rows in groupby(ordered, key=lambda result: (result.section, bool(result.column)))
    ]
    return "\n".join([*_INTRODUCTION, *_summary(ordered), *(line for table in tables for line in table)])


def write_results(folder: Path = FOLDER, out: Path = PAGE) -> None:
    """Make the page ``out`` of every ``*.json`` in ``folder``.

    Raises:
        DataError: there are none, or one is no result; nothing is written then.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise DataError(f"no results in {folder}: each is one JSON file, written by Result.save")
    results = [Result.load(file) for file in files]
    page = render(results)
    out.parent.mkdir(parents=True, exist_ok=True)
    panels = {
        column: [result for result in results if result.column == column and result.budget.seconds]
        for column in FIGURE_OF
    }
    if any(panels.values()):
        write_atomically(out.with_name(FIGURE), _figure(panels))
        page += f"\n![Accuracy against training time]({FIGURE})\n"
    write_atomically(out, page.encode())


def _figure(panels: Mapping[str, Sequence[Result]]) -> bytes:
    """Accuracy against training time, a panel a protocol, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with pyplot.rc_context({"svg.hashsalt": "lowshot", "svg.fonttype": "none", "font.size": 9}):
        figure, grid = pyplot.subplots(len(panels), figsize=(7, 5 * len(panels)), squeeze=False)
        for (column, points), axes in zip(panels.items(), grid[:, 0], strict=True):
            _panel(axes, column, sorted(points, key=lambda result: result.value))
        page = io.BytesIO()
        figure.savefig(page, format="svg", bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
    return page.getvalue()


def _panel(axes: Any, column: str, ordered: Sequence[Result]) -> None:
    """One point a system. Names stand beside the plot: many systems had the same time and are nearly as good."""
    for place, result in enumerate(ordered):
        point = (result.budget.seconds or 0) / 60, 100 * result.value
        [line, *_] = axes.errorbar(*point, yerr=100 * (result.figures.get("ci95") or 0), fmt="o", ms=4)
        axes.annotate(
            f"{result.title}, {result.note.split(':')[0].replace('`', '')}: {point[1]:.1f}",
            point,
            xytext=(1.04, (place + 0.5) / len(ordered)),
            textcoords="axes fraction",
            va="center",
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": line.get_color(), "relpos": (0, 0.5)},
        )
    axes.set(xlabel="minutes of training", ylabel=f"accuracy, {column}, Vinyals split (%)")
    axes.set_xlim(0, 1.1 * max([(result.budget.seconds or 0) / 60 for result in ordered], default=1))
    axes.grid(alpha=0.3)


_INTRODUCTION = (
    "# Results",
    "",
    "Made by `python -m lowshot.evaluate.results` from the files in `results/`: change those, not this page. Intervals",
    "are 95 %. Published numbers marked *recalled* were not read in their source. Numbers of different protocols must",
    "not be compared.",
    "",
)
_LEGEND = (
    "In brackets what was published; *recalled* where it was not read in its source. A dash: the system cannot be asked",
    "that (a memory or a meta-learner of five ways has no answer among twenty), or has not been. The `paper` presets train",
    "as long as the papers, days on two cores: `lowshot bench accuracy --preset paper` adds their rows.",
)
_COLUMNS = ("what", "data and protocol", "ours", "published", "target", "budget", "made by")


def _summary(results: Sequence[Result]) -> list[str]:
    aimed = [result for result in results if result.target is not None]
    missed = [result for result in aimed if result.missed_by]
    reached = f"{len(aimed) - len(missed)} of {len(aimed)} targets reached"
    if not missed:
        return [f"{reached}.", ""]
    lines = [f"- {result.title} ({result.data}): {result.show(result.value)}, {result.verdict}" for result in missed]
    return [f"{reached}. Not reached:", "", *lines, ""]


def _section(name: str, results: Sequence[Result]) -> list[str]:
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *map(_row, results)]
    notes = [f"- {result.title}: {result.note}" for result in results if result.note]
    return [f"## {name}", "", *(f"| {' | '.join(row)} |" for row in rows), "", *notes, *([""] if notes else [])]


def _matrix(name: str, results: Sequence[Result]) -> list[str]:
    """A row a system, a column a protocol; ours, and what was published in brackets."""
    columns = sorted({result.column for result in results}, key=_natural)
    measures = {result.column: result.measure for result in results}
    shown = (f"{column}, {measures[column]} (%)" for column in columns)
    names = ("system", *shown, "trained for", "made by")
    lines = [f"## {name}, every system", "", _line(names), _line(["---"] * len(names))]
    for (title, note), found in groupby(sorted(results, key=_system), key=_system):
        row = {result.column: result for result in found}
        last = row[max(row, key=_natural)]
        cells = [_cell(row[column]) if column in row else "–" for column in columns]
        lines.append(_line([f"{title}, {note}", *cells, str(last.budget), f"`{last.command}` ({last.date})"]))
    sources = {result.published.source: result.published for result in results if result.published}
    listed = [f"{source} ({sources[source].sure})" for source in sorted(sources)]
    return [*lines, "", *_LEGEND, *([f"Published: {'; '.join(listed)}."] if listed else []), ""]


def _system(result: Result) -> tuple[str, str]:
    return result.title, result.note


def _natural(text: str) -> list[int | str]:
    """So that 5-way comes before 20-way."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _cell(result: Result) -> str:
    shown = result.show(result.value, result.figures.get("ci95")).removesuffix(" %")
    if result.published is None:
        return shown
    recalled = ", *recalled*" if result.published.sure == "recalled" else ""
    return f"{shown} ({result.show(result.published.value).removesuffix(' %')}{recalled})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _row(result: Result) -> tuple[str, ...]:
    aim = "≥" if result.better == "higher" else "≤"
    published = "–"
    if result.published:
        recalled = ", *recalled*" if result.published.sure == "recalled" else ""
        published = f"{result.show(result.published.value)} ({result.published.source}{recalled})"
    episodes = "" if result.episodes is None else f", {result.episodes} episodes"
    seed = "" if result.seed is None else f", seed {result.seed}"
    cells = (
        result.title,
        f"{result.data}: {result.protocol}{episodes}{seed}".replace("–: –", "–"),
        result.show(result.value, result.figures.get("ci95")),
        published,
        "–" if result.target is None else f"{aim} {result.show(result.target)}: {result.verdict}",
        str(result.budget),
        f"`{result.command}` ({result.date}, {result.version})",
    )
    return tuple(cell.replace("|", r"\|").replace("\n", " ") for cell in cells)


def main() -> int:
    """Make the page of this folder's results; 2 where that cannot be done."""
    try:
        write_results()
    except LowshotError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
