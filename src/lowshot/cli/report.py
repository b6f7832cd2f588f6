"""The demo's picture report: one HTML file, no script, nothing fetched."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lowshot import __version__
from lowshot.disk import write_atomically
from lowshot.text import printable

if TYPE_CHECKING:
    from lowshot.cli.demo import Shown

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5b6474; --card: #fff; --page: #f3f4f7; --line: #e2e5ea;
  --good: #17845a; --bad: #c5372c; --none: #6b4fbb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --soft: #9aa3b2; --card: #1c212b; --page: #12151b;
  --line: #2d3440; --good: #4cc38a; --bad: #ff7b6e; --none: #b39bff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2.5rem 1.25rem 3rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.02em; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem; }
p { color: var(--soft); margin: 0 0 1rem; max-width: 46rem; }
img { background: #fff; border: 1px solid var(--line); border-radius: 8px; object-fit: contain; display: block; }
.good { --tone: var(--good); } .bad { --tone: var(--bad); } .none { --tone: var(--none); }
.scores { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: .8rem;
  margin: 1.4rem 0; }
.score { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .9rem 1.1rem; }
.score span { color: var(--soft); font-size: .85rem; }
.score strong { font-size: 2.1rem; line-height: 1.2; margin-right: .5rem; }
.shares { display: flex; height: 8px; border-radius: 4px; overflow: hidden; margin: .5rem 0; }
.shares i { background: var(--tone); }
.counts { display: flex; flex-wrap: wrap; gap: 0 1.1rem; font-size: .85rem; color: var(--tone); font-weight: 600; }
.counts span { color: var(--tone); }
.support { display: grid; grid-template-columns: repeat(auto-fill, minmax(4.7rem, 1fr)); gap: .8rem .6rem; }
.support figure { margin: 0; }
.support img { width: 100%; max-width: 5.4rem; aspect-ratio: 1; padding: 4px; margin: 0 auto; }
figcaption { font-size: .7rem; color: var(--soft); overflow-wrap: anywhere; text-align: center; line-height: 1.25;
  margin-top: .25rem; }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(10rem, 100%), 1fr)); gap: .7rem; }
.answer { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--tone); padding: .6rem;
  border-radius: 10px; display: flex; flex-direction: column; gap: .4rem; font-size: .8rem; line-height: 1.3;
  overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: 1fr auto 1fr; gap: .4rem; align-items: center; justify-items: center; }
.pair > span { color: var(--soft); }
.pair img, .nobody { width: 100%; max-width: 6rem; aspect-ratio: 1; padding: 3px; }
.nobody { display: grid; place-items: center; font-size: 1.9rem; color: var(--none); border: 1px dashed var(--none);
  border-radius: 8px; }
.bar { height: 5px; border-radius: 3px; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--tone); }
.says { display: flex; gap: .35rem; }
.says b { color: var(--tone); flex: 1; }
.truth { display: flex; gap: .5rem; align-items: center; color: var(--soft); margin-top: auto; }
.truth img { width: 2.6rem; height: 2.6rem; padding: 2px; flex: none; }
summary { cursor: pointer; padding: .8rem 0; font-weight: 600; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .8rem; }
code { overflow-wrap: anywhere; }
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
        f"<figure>{_picture(data, label)}<figcaption>{_breakable(label)}</figcaption></figure>"
        for label, data in enrolled.items()
    )
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>lowshot demo</title><style>{_STYLE}</style>
<h1>Seen once, recognized</h1>
<p>The encoder “{_breakable(encoder)}” never learned from these {len(enrolled)} classes. It was shown one example of each;
every answer below follows from that one picture.</p>
<div class="scores">{_score("other pictures of these classes", "answered right", known)}
{_score("pictures of other classes", "called unknown", unknown)}</div>
<p>Left, the question; right, the enrolled picture that decided, or “?” for unknown. The percentage is the probability, as
the gallery estimates it, that the answer is right. A name may come with a low one: several classes share the rest, and
“unknown” was still less likely than not.</p>
<h2>Enrolled: one example each</h2><div class="support">{figures}</div>
<h2>Other pictures of these classes</h2>{_answers(known, enrolled)}
<h2>Classes that nobody enrolled: “unknown” is right</h2>{_answers(unknown, enrolled)}
<footer>Made on {datetime.now(UTC):%Y-%m-%d} by lowshot {__version__} with <code>{html.escape(printable(command))}</code>,
seed {seed}; another --seed draws other classes.</footer>
</html>
"""
    write_atomically(path, page.encode())


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
    decided = '<div class="nobody">?</div>' if label is None else _picture(enrolled[label], label)
    tone, mark = ("good", "✓") if shown.right else ("none" if shown.missed else "bad", "✗")
    return (
        f'<div class="answer {tone}">'
        f'<div class="pair">{_picture(shown.picture, "the question")}<span>→</span>{decided}</div>'
        f'<div class="bar"><i style="width:{sure}"></i></div>'
        f'<div class="says"><b>{mark} {_breakable(label or "unknown")}</b><span>{sure}</span></div>'
        f"{'' if shown.right else _truth(shown.truth, enrolled)}</div>"
    )


def _truth(truth: str | None, enrolled: Mapping[str, bytes]) -> str:
    if truth is None:
        return '<div class="truth">in truth of no enrolled class</div>'
    return f'<div class="truth">{_picture(enrolled[truth], truth)}<span>in truth {_breakable(truth)}</span></div>'


def _breakable(text: str) -> str:
    """Text for the page; a long label may be broken behind its separators."""
    return re.sub(r"([/_-])(?=.)", r"\1<wbr>", html.escape(printable(text)))


def _picture(data: bytes, text: str) -> str:
    return f'<img alt="{html.escape(printable(text))}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'
