"""The demo's picture report: one HTML file, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lowshot.disk import write_atomically
from lowshot.gallery.page import breakable, escaped, page, picture

if TYPE_CHECKING:
    from lowshot.cli.demo import Shown

_STYLE = """
.shares { display: flex; height: 8px; border-radius: 4px; overflow: hidden; margin: .5rem 0; }
.shares i { background: var(--tone); }
.counts { display: flex; flex-wrap: wrap; gap: 0 1.1rem; font-size: .85rem; color: var(--tone); font-weight: 600; }
.counts span { color: var(--tone); }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(10rem, 100%), 1fr)); gap: .7rem; }
.answer { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--tone); padding: .6rem;
  border-radius: 10px; display: flex; flex-direction: column; gap: .4rem; font-size: .8rem; line-height: 1.3;
  overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: 1fr auto 1fr; gap: .4rem; align-items: center; justify-items: center; }
.pair > span { color: var(--soft); }
.pair img, .nobody { width: 100%; max-width: 6rem; aspect-ratio: 1; padding: 3px; }
.nobody { display: grid; place-items: center; font-size: 1.9rem; color: var(--none); border: 1px dashed var(--none);
  border-radius: 8px; }
.says { display: flex; gap: .35rem; }
.says b { color: var(--tone); flex: 1; }
.truth { display: flex; gap: .5rem; align-items: center; color: var(--soft); margin-top: auto; }
.truth img { width: 2.6rem; height: 2.6rem; padding: 2px; flex: none; }
"""


def write_report(
    path: Path, encoder: str, enrolled: Mapping[str, bytes], shown: Sequence[Shown], seed: int, command: str
) -> None:
    """Write the report: what was enrolled, then every query beside the enrolled picture it was taken for.

    Args:
        path: the file to write.
        encoder: its name.
        enrolled: the one picture of each class.
        shown: the queries and their answers.
        seed, command: what made it, for the last line.
    """
    known = [each for each in shown if each.truth is not None]
    unknown = [each for each in shown if each.truth is None]
    figures = "".join(
        f"<figure>{picture(data, label)}<figcaption>{breakable(label)}</figcaption></figure>"
        for label, data in enrolled.items()
    )
    body = f"""<h1>Seen once, recognized</h1>
<p>The encoder “{breakable(encoder)}” never learned from these {len(enrolled)} classes. It was shown one example of each;
every answer below follows from that one picture.</p>
<div class="scores">{_score("other pictures of these classes", "answered right", known)}
{_score("pictures of other classes", "called unknown", unknown)}</div>
<p>Left, the question; right, the enrolled picture that decided, or “?” for unknown. The percentage is the probability, as
the gallery estimates it, that the answer is right. A name may come with a low one: several classes share the rest, and
“unknown” was still less likely than not.</p>
<h2>Enrolled: one example each</h2><div class="support">{figures}</div>
<h2>Other pictures of these classes</h2>{_answers(known, enrolled)}
<h2>Classes that nobody enrolled: “unknown” is right</h2>{_answers(unknown, enrolled)}"""
    made_with = f"<code>{escaped(command)}</code>,\nseed {seed}; another --seed draws other classes."
    write_atomically(path, page("lowshot demo", body, made_with, _STYLE))


def _score(what: str, success: str, shown: Sequence[Shown]) -> str:
    """One kind of query: how many ended how."""
    ends = [
        ("good", f"✓ {success}", sum(each.right for each in shown)),
        ("bad", "✗ named wrongly", sum(each.named_wrongly for each in shown)),
        ("none", "✗ called unknown", sum(each.missed for each in shown)),
    ]
    ends = ends if any(each.truth is not None for each in shown) else ends[:2]
    shares = "".join(f'<i class="{tone}" style="flex:{number}"></i>' for tone, _, number in ends if number)
    counts = "".join(f'<span class="{tone}">{end}: {number}</span>' for tone, end, number in ends)
    return (
        f'<div class="score"><strong>{ends[0][2] / len(shown):.0%}</strong>'
        f"<span>of {len(shown)} {what} were {success}</span>"
        f'<div class="shares">{shares}</div><div class="counts">{counts}</div></div>'
    )


def _answers(shown: Sequence[Shown], enrolled: Mapping[str, bytes]) -> str:
    """What went wrong first, wrong names before all; what went right waits folded."""
    wrong = [_answer(each, enrolled) for each in sorted(shown, key=lambda each: each.missed) if not each.right]
    right = [_answer(each, enrolled) for each in shown if each.right]
    failures = f'<p>{len(wrong)} of {len(shown)} went wrong:</p><div class="answers">{"".join(wrong)}</div>'
    return (
        f"{failures if wrong else '<p>None went wrong.</p>'}<details{'' if wrong else ' open'}>"
        f'<summary>{len(right)} right answers</summary><div class="answers">{"".join(right)}</div></details>'
    )


def _answer(shown: Shown, enrolled: Mapping[str, bytes]) -> str:
    label, sure = shown.answer.label, f"{shown.answer.confidence:.0%}"
    decided = '<div class="nobody">?</div>' if label is None else picture(enrolled[label], label)
    tone, mark = ("good", "✓") if shown.right else ("none" if shown.missed else "bad", "✗")
    return (
        f'<div class="answer {tone}">'
        f'<div class="pair">{picture(shown.picture, "the question")}<span>→</span>{decided}</div>'
        f'<div class="bar"><i style="width:{sure}"></i></div>'
        f'<div class="says"><b>{mark} {breakable(label or "unknown")}</b><span>{sure}</span></div>'
        f"{'' if shown.right else _truth(shown.truth, enrolled)}</div>"
    )


def _truth(truth: str | None, enrolled: Mapping[str, bytes]) -> str:
    if truth is None:
        return '<div class="truth">in truth of no enrolled class</div>'
    return f'<div class="truth">{picture(enrolled[truth], truth)}<span>in truth {breakable(truth)}</span></div>'
