"""What :func:`~lowshot.gallery.check.check` found, as a page with the pictures, sounds or texts side by side."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

from PIL import Image

from lowshot.data import Form, ImageForm, SoundForm, TextForm, read_items
from lowshot.data.forms import NOUNS, SEEM
from lowshot.data.sounds import wav
from lowshot.errors import LowshotError
from lowshot.gallery.check import Check
from lowshot.gallery.duplicates import Duplicates
from lowshot.gallery.findings import Confused, Mislabeled
from lowshot.gallery.page import breakable, escaped, page, picture, quotation, sound
from lowshot.gallery.shots import Shots

_SHOWN = 24  # findings of each kind, however many are listed
_OF_GROUP = 4  # examples of a group of duplicates
_LETTERS = 280  # of a text
_SMALL = ImageForm(height=112, width=112, channels=3)

_STYLE = """
.notes { border-left: 4px solid var(--none); padding: .1rem 0 .1rem .9rem; margin: 1.2rem 0; }
.notes p { margin: .3rem 0; }
.scores { grid-template-columns: repeat(auto-fit, minmax(min(12rem, 100%), 1fr)); }
.score strong { display: block; } .score strong.good, .score strong.bad { color: var(--tone); }
table { border-collapse: collapse; width: 100%; max-width: 46rem; font-variant-numeric: tabular-nums; font-size: .9rem; }
td, th { text-align: right; padding: .35rem 0 .35rem .9rem; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; font-size: .8rem; vertical-align: bottom; }
td:first-child, th:first-child { text-align: left; padding-left: 0; } td:first-child { overflow-wrap: anywhere; }
td.number { white-space: nowrap; }
td.how { color: var(--soft); font-size: .8rem; text-align: left; } th.how { text-align: left; }
td.range { width: 28%; min-width: 5.5rem; }
.track { position: relative; height: 12px; border-radius: 6px; background: var(--line); }
.track i { position: absolute; top: 0; bottom: 0; border-radius: 6px; background: var(--good); opacity: .4; min-width: 2px; }
.track b { position: absolute; top: -2px; bottom: -2px; width: 3px; margin-left: -1.5px; background: var(--ink);
  border-radius: 2px; }
.guess .track i { background: var(--none); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: .8rem; }
.card { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 10px;
  padding: .7rem; font-size: .82rem; line-height: 1.35; overflow-wrap: anywhere; display: flex; flex-direction: column;
  gap: .5rem; }
.card > b { color: var(--tone); margin-top: auto; } .card > span { color: var(--soft); }
.items { display: grid; grid-template-columns: repeat(auto-fit, minmax(4.6rem, 1fr)); gap: .5rem; }
.items figure { margin: 0; min-width: 0; }
.items img, .gone { width: 100%; max-width: 7rem; aspect-ratio: 1; padding: 4px; margin: 0 auto; }
.items figcaption b { display: block; color: var(--ink); font-size: .78rem; }
.items audio { width: 100%; height: 2.2rem; }
.items blockquote { margin: 0; padding: .45rem .6rem; border-left: 3px solid var(--line); background: var(--page);
  border-radius: 6px; color: var(--ink); font-size: .82rem; }
.items figure:has(blockquote) { grid-column: 1 / -1; }
.items.wide { grid-template-columns: 1fr; } .wide figcaption { text-align: left; }
.gone { display: grid; place-items: center; color: var(--soft); border: 1px dashed var(--line); border-radius: 8px;
  font-size: .7rem; text-align: center; }
@media (max-width: 34rem) { td.how, th.how { display: none; } body { padding: 1.5rem .9rem; }
  td, th { padding-left: .45rem; font-size: .75rem; } td.number { white-space: normal; } }
"""


def check_page(
    check: Check,
    *,
    place: str,
    encoder: str,
    form: Form,
    original: Callable[[int], bytes],
    names: Mapping[int, str],
    described: Mapping[int, str],
    command: str,
) -> bytes:
    """The page, as the content of an HTML file. At most 24 findings of each kind are shown.

    Args:
        check: what was found.
        place, encoder: the gallery's address and its encoder's name.
        form: the encoder's: whether there are pictures to look at, sounds to play, or texts to read.
        original: gives the file of an example; where it raises a LowshotError, the page says that there is none.
        names: of examples, where they have one.
        described: of those that are descriptions, what they say.
        command: what made the page, for its last line.
    """
    show, noun, seem = _Show(form, original, names, described), NOUNS[form.modality], SEEM[form.modality]
    doubt = _MISLABELED.format(noun=noun, seem=seem)
    wrong = [_mislabeled(each, show) for each in check.mislabeled[:_SHOWN]]
    twice = [_twice(each, show) for each in check.duplicates[:_SHOWN]]
    mixed = [_confused(each, show) for each in check.confused[:_SHOWN]]
    held = f"{many(check.examples, 'example')} of {many(check.classes, 'class')}"
    body = f"""<h1>{breakable(place)}</h1>
<p>{held}, compared by “{check.recognizer}” as the encoder “{breakable(encoder)}” sees them.
All figures come from the enrolled examples alone.</p>
<div class="scores">{_scores(check, noun, seem)}</div>
{_notes(check.notes)}
{_accuracy(check.accuracy)}
{_section("Probably mislabeled", doubt, check.mislabeled_in_all, wrong) if check.asked else ""}
{_section(f"The same {noun} twice", _TWICE, check.duplicates_in_all, twice)}
{_section("Confused classes", _CONFUSED.format(seem=seem), check.confused_in_all, mixed)}
{_gains(check)}
{_gates(check)}"""
    return page(f"Health of {place}", body, f"<code>{escaped(command)}</code>, seed {check.seed}.", _STYLE)


_MISLABELED = (
    "First, an example; then the nearest one of the class it {seem}s like. It is as clearly one of those as others are "
    "clearly of their own. Compare both: the label may be wrong, the {noun} poor, or the classes alike."
)
_TWICE = (
    "Their files are equal, or their features as good as equal. Under two labels, one of them is wrong. Within a class a "
    "copy adds nothing, and makes the accuracies above look better than they are."
)
_CONFUSED = (
    "First, an example that was held out and taken for the class of the second, or the only example of a class that {seem}s "
    "like that one; then the nearest one there."
)


@dataclass(frozen=True)
class _Show:
    """Shows examples."""

    form: Form
    original: Callable[[int], bytes]
    names: Mapping[int, str]
    described: Mapping[int, str]

    def figure(self, id: int, label: str) -> str:
        """An example with its label, and where it came from."""
        name = "described" if id in self.described else self.names.get(id) or f"example {id}"
        caption = f"<figcaption><b>{breakable(label)}</b>{breakable(name)}</figcaption>"
        return f"<figure>{self._item(id, name)}{caption}</figure>"

    def _item(self, id: int, name: str) -> str:
        """A small picture, a sound as the encoder hears it, or the beginning of a text or of a description."""
        if id in self.described:
            return _beginning(self.described[id])
        form = _SMALL if isinstance(self.form, ImageForm) else self.form
        try:
            item = read_items([self.original(id)], form)[0]
        except LowshotError:
            return f'<div class="gone">no {NOUNS[form.modality]} kept</div>'
        if isinstance(form, SoundForm):
            return sound(wav(item, form.rate), name)
        if isinstance(form, TextForm):
            return _beginning(item)
        file = io.BytesIO()
        Image.fromarray(item).save(file, "PNG")
        return picture(file.getvalue(), name)

    @property
    def layout(self) -> str:
        """How the items of a finding stand: pictures beside each other, what is wider below."""
        return "items" if self.form.modality == "image" else "items wide"


def _beginning(text: str) -> str:
    return quotation(shorten(text, _LETTERS, placeholder=" …"))


def _scores(check: Check, noun: str, seem: str) -> str:
    now = as_enrolled(check.accuracy)
    accuracy = (
        _score(f"{now.accuracy:.0%}", f"of answers expected right: {now.low:.0%} to {now.high:.0%}, {now.how}")
        if now
        else _score("–", "expected accuracy: cannot be said")
    )
    unknowns = (
        _score(
            f"{1 - check.unknowns.fpr95:.0%}",
            f"of unknown classes refused when 95 % of the known are accepted (AUROC {check.unknowns.auroc:.3f}, "
            f"{check.unknowns.how})",
        )
        if check.unknowns
        else _score("–", "refusal of unknown classes: cannot be said")
    )
    wrong = (
        _number(check.mislabeled_in_all, "examples probably mislabeled")
        if check.asked
        else _score("–", "mislabeled examples: cannot be said")
    )
    across = sum(each.across for each in check.duplicates)
    twice = f"{noun}s enrolled more than once, {across} of those listed under two labels"
    mixed = "pairs of classes confused" if check.asked else f"pairs of classes that {seem} alike"
    return accuracy + unknowns + wrong + _number(check.duplicates_in_all, twice) + _number(check.confused_in_all, mixed)


def as_enrolled(accuracy: Sequence[Shots]) -> Shots | None:
    """The accuracy with as many examples as classes usually have now; None where none can be said."""
    return next((each for each in accuracy if each.how != "held out"), None)


def many(number: int, what: str) -> str:
    """A number of things in words: ``1 class``, ``2 classes``."""
    return f"{number:,} {what}{'' if number == 1 else 'es' if what.endswith('s') else 's'}"


def _score(figure: str, what: str, tone: str = "") -> str:
    return f'<div class="score"><strong class="{tone}">{figure}</strong><span>{escaped(what)}</span></div>'


def _number(number: int, what: str) -> str:
    return _score(f"{number:,}", what, "bad" if number else "good")


def _notes(notes: Sequence[str]) -> str:
    return f'<div class="notes">{"".join(f"<p>{escaped(note)}</p>" for note in notes)}</div>' if notes else ""


def _accuracy(accuracy: Sequence[Shots]) -> str:
    if not accuracy:
        return ""
    low = int(10 * min(0.9, *(each.low for each in accuracy)) + 1e-9) / 10
    rows = "".join(
        f'<tr class="{"" if each.how == "held out" else "guess"}"><td>{each.shots}</td><td>{each.accuracy:.1%}</td>'
        f'<td class="range">{_range(each, low)}</td><td class="number">{each.low:.1%} – {each.high:.1%}</td>'
        f'<td class="how">{each.how}, {many(each.queries, "example")} of {many(each.classes, "class")}</td></tr>'
        for each in accuracy
    )
    return f"""<h2>Expected accuracy</h2><p>How often the nearest class is the right one, with so many examples of each
class (shots). The bar is the 95 % interval, on a scale from {low:.0%} to 100%; violet figures are not measured.</p>
<table><tr><th>shots</th><th>right</th><th></th><th>interval</th><th class="how">by</th></tr>{rows}</table>"""


def _range(each: Shots, low: float) -> str:
    start, end, at = (100 * (value - low) / (1 - low) for value in (each.low, each.high, each.accuracy))
    span = f'<i style="left:{start:.1f}%;width:{end - start:.1f}%"></i>'
    return f'<div class="track">{span}<b style="left:{at:.1f}%"></b></div>'


def _section(title: str, about: str, in_all: int, cards: Sequence[str]) -> str:
    if not cards:
        return f"<h2>{title}</h2><p>None found.</p>"
    more = f" The {len(cards)} gravest of {in_all}:" if in_all > len(cards) else ""
    return f'<h2>{title}</h2><p>{escaped(about)}{more}</p><div class="cards">{"".join(cards)}</div>'


def _card(tone: str, layout: str, figures: Iterable[str], title: str, detail: str) -> str:
    return (
        f'<div class="card {tone}"><div class="{layout}">{"".join(figures)}</div><b>{title}</b>'
        f"<span>{escaped(detail)}</span></div>"
    )


def _mislabeled(each: Mislabeled, show: _Show) -> str:
    detail = f"example {each.id}, {each.excess:.1f} × as clear as usual"
    either = "; or the other example of its class is wrong" if each.either else ""
    return _card(
        "bad",
        show.layout,
        [show.figure(each.id, each.label), show.figure(each.like, each.rival)],
        f"{breakable(each.label)} {SEEM[show.form.modality]}s like {breakable(each.rival)}",
        detail + either,
    )


def _twice(each: Duplicates, show: _Show) -> str:
    ids, labels = each.ids[:_OF_GROUP], each.labels[:_OF_GROUP]
    title = "under different labels" if each.across else "in one class"
    same = "the same file" if each.exact else "equal features" if each.distance == 0 else "nearly the same"
    more = f", and {len(each.ids) - _OF_GROUP} more" if len(each.ids) > _OF_GROUP else ""
    return _card(
        "bad" if each.across else "none",
        show.layout,
        map(show.figure, ids, labels),
        f"{len(each.ids)} times, {title}",
        f"{same}: examples {', '.join(map(str, ids))}{more}",
    )


def _confused(each: Confused, show: _Show) -> str:
    one, other = each.labels
    labels = {other: one, one: other}
    if each.how == "held out":
        detail = f"{each.taken} of {each.asked} examples of either class taken for the other"
    else:
        detail = "one example only: nearer to each other than that share of queries is to its own class"
    figures = [show.figure(seen.id, seen.label) + show.figure(seen.like, labels[seen.label]) for seen in each.seen[:1]]
    return _card(
        "bad" if each.share >= 0.25 else "none",
        show.layout,
        figures,
        f"{each.share:.0%} {breakable(one)} ↔ {breakable(other)}",
        detail,
    )


def _gates(check: Check) -> str:
    if not check.gates:
        return ""
    rows = "".join(
        f'<tr><td>{breakable(attribute)}</td><td class="number">{each.accuracy:.0%}</td>'
        f'<td class="number">{each.recall:.1%}</td><td class="number">{each.kept:.1f} of {each.values}</td>'
        f'<td class="number">{1 - each.compared:z.0%}</td></tr>'
        for attribute, each in check.gates.items()
    )
    return f"""<h2>Gates</h2><p>What it would save to predict an attribute first, and to compare a query only
with classes of likely values. A gate keeps as many values as the recall asked for takes: where little can be predicted,
little is saved.</p>
<table><tr><th>attribute</th><th>first guess right</th><th>true value kept</th><th>values kept</th>
<th>compari&shy;sons saved</th></tr>{rows}</table>"""


def _gains(check: Check) -> str:
    if not check.gains:
        return ""
    rows = "".join(
        f"<tr><td>{breakable(each.label)}</td><td>{each.examples}</td>"
        f'<td class="number">{100 * each.gain:+.2f} points</td></tr>'
        for each in check.gains[:_SHOWN]
    )
    return f"""<h2>Where one more example helps most</h2><p>An estimate from few examples each: trust the order more than the
figure, which is the share of the class’s queries that would be answered right and are not now.</p>
<table><tr><th>class</th><th>examples now</th><th>gain</th></tr>{rows}</table>"""
