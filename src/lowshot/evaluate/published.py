"""What papers report of the methods here, by the protocols measured here, and what ours are meant to reach.

Fractions; by method and column of the benchmark, targets by preset, too. ``recalled`` numbers come from notes that copy a
table, not from the table.
"""

from __future__ import annotations

from lowshot.evaluate.results import Published

FOUR = ("5-way 1-shot", "5-way 5-shot", "20-way 1-shot", "20-way 5-shot")
LAKE = "Lake's 400 trials"
PRESENTATIONS = ("2nd presentation", "5th presentation", "10th presentation")


def _row(
    method: str, columns: tuple[str, ...], values: tuple[float, ...], source: str
) -> dict[tuple[str, str], Published]:
    return {
        (method, column): Published(value=value, source=source, sure="recalled")
        for column, value in zip(columns, values, strict=True)
    }


_VINYALS = "Vinyals et al. 2016, table 1"
_SANTORO = "Santoro et al. 2016, table 1"

PUBLISHED: dict[tuple[str, str], Published] = {
    **_row("prototypical", FOUR, (0.988, 0.997, 0.960, 0.989), "Snell et al. 2017, table 1"),
    **_row("matching", FOUR, (0.981, 0.989, 0.938, 0.985), _VINYALS),
    **_row("siamese", FOUR, (0.973, 0.984, 0.881, 0.970), f"{_VINYALS}, fine-tuned"),
    **_row("relation", FOUR, (0.996, 0.998, 0.976, 0.991), "Sung et al. 2018, table 1"),
    **_row("classifier", FOUR, (0.800, 0.950, 0.695, 0.891), f"{_VINYALS}, baseline classifier"),
    **_row("transfer", FOUR, (0.860, 0.976, 0.729, 0.923), f"{_VINYALS}, baseline fine-tuned"),
    **_row("mann", FOUR[:2], (0.828, 0.949), f"{_VINYALS}, without convolutions"),
    **_row("mann", PRESENTATIONS, (0.828, 0.949, 0.981), _SANTORO),
    **_row("lstm", PRESENTATIONS, (0.495, 0.636, 0.625), _SANTORO),
    **_row("prototypical", (LAKE,), (0.137,), "Lake et al. 2019"),
    ("siamese", LAKE): Published(value=0.08, source="Koch et al. 2015, table 2; 40 alphabets", sure="read"),
}

NOTES: dict[tuple[str, str], str] = {
    ("matching", "cpu"): "learns 60-way tasks",
    ("matching", "fce"): "full-context embeddings, learns 20-way 1-shot tasks",
    ("mann", "cpu"): "convolutions first, guided by the background's classes; the paper's sees pixels",
    ("lstm", "cpu"): "convolutions first, guided by the background's classes; the paper's sees pixels",
    ("transfer", "cpu"): "a new cosine layer an episode, then slow fine-tuning",
    ("pseudo-labels", "cpu"): "10 of the 20 items of a class have labels",
    ("weak-labels", "cpu"): "three tags an item, 30 % of them wrong",
}
"""What a reader must know of a method and preset to compare its numbers rightly."""

TARGETS: dict[tuple[str, str, str], float] = {
    **{("matching", "cpu", column): PUBLISHED["matching", column].value for column in FOUR},
    **{("matching", "fce", column): PUBLISHED["matching", column].value - 0.005 for column in FOUR},
    **{(name, "cpu", FOUR[2]): 0.88 for name in ("siamese", "triplet", "quadruplet", "histogram", "learned-distance")},
    ("triplet", "cpu", FOUR[2]): 0.96,  # the best of them
    **{("mann", "cpu", column): PUBLISHED["mann", column].value for column in PRESENTATIONS},
}
"""By method, preset and column."""
