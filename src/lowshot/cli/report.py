"""The demo's picture report: one HTML file, no script, nothing fetched."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lowshot.cli.demo import Shown

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #667085; --card: #fff; --page: #f3f4f7; --line: #e2e5ea;
  --good: #17845a; --bad: #c5372c; --none: #6b4fbb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --soft: #9aa3b2; --card: #1c212b; --page: #12151b;
  --line: #2d3440; --good: #4cc38a; --bad: #ff7b6e; --none: #b39bff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2.5rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.02em; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem; }
p { color: var(--soft); margin: 0 0 1rem; max-width: 46rem; }
img { background: #fff; border-radius: 8px; image-rendering: auto; object-fit: contain; display: block; }
.support { display: flex; flex-wrap: wrap; gap: .6rem; }
.support figure { margin: 0; width: 5.4rem; }
.support img { width: 5.4rem; height: 5.4rem; padding: 4px; border: 1px solid var(--line); }
figcaption { font-size: .68rem; color: var(--soft); overflow-wrap: anywhere; text-align: center; line-height: 1.25;
  margin-top: .2rem; }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(13.2rem, 1fr)); gap: .7rem; }
.answer { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 10px;
  padding: .6rem; display: grid; grid-template-columns: 4.4rem 1.2rem 4.4rem; gap: .35rem; align-items: center; }
.answer img { width: 4.4rem; height: 4.4rem; padding: 3px; border: 1px solid var(--line); }
.answer .arrow { color: var(--soft); text-align: center; }
.answer .nobody { width: 4.4rem; height: 4.4rem; display: grid; place-items: center; font-size: 1.9rem; color: var(--none);
  border: 1px dashed var(--none); border-radius: 8px; }
.answer .says { grid-column: 1 / -1; font-size: .78rem; line-height: 1.3; overflow-wrap: anywhere; }
.answer .says b { color: var(--tone); }
.bar { grid-column: 1 / -1; height: 5px; border-radius: 3px; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--tone); }
.good { --tone: var(--good); } .bad { --tone: var(--bad); } .none { --tone: var(--none); }
.score { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0; }
.score div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .7rem 1rem;
  min-width: 10rem; }
.score b { display: block; font-size: 1.7rem; line-height: 1.2; } .score span { color: var(--soft); font-size: .85rem; }
"""


def write_report(path: Path, encoder: str, enrolled: Mapping[str, bytes], shown: Sequence[Shown]) -> None:
    """Write the report: what was enrolled, then every query beside the enrolled picture it was taken for."""
    known = [each for each in shown if each.truth is not None]
    unknown = [each for each in shown if each.truth is None]
    figures = "".join(
        f"<figure>{_picture(data, label)}<figcaption>{html.escape(label)}</figcaption></figure>"
        for label, data in enrolled.items()
    )
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>lowshot demo</title><style>{_STYLE}</style>
<h1>Seen once, recognized</h1>
<p>The encoder “{html.escape(encoder)}” never saw these {len(enrolled)} classes. It was shown one example of each; every
answer below follows from that one picture. Left: the question. Right: the enrolled picture that decided, or “?” for
unknown.</p>
<div class="score">{_score("of the known answered right", known)}
{_score("of the never enrolled called unknown", unknown)}</div>
<h2>Enrolled: one example each</h2><div class="support">{figures}</div>
<h2>Other drawings of these classes</h2><p>Green: right. Red: wrong. Violet: called unknown.</p>
<div class="answers">{"".join(_answer(each, enrolled) for each in known)}</div>
<h2>Classes that nobody enrolled</h2><p>The right answer is “unknown”.</p>
<div class="answers">{"".join(_answer(each, enrolled) for each in unknown)}</div>
</html>
"""
    path.write_text(page, encoding="utf-8")


def _score(what: str, shown: Sequence[Shown]) -> str:
    right = sum(each.right for each in shown)
    return f"<div><b>{right / len(shown):.0%}</b><span>{what}<br>{right} of {len(shown)}</span></div>"


def _answer(shown: Shown, enrolled: Mapping[str, bytes]) -> str:
    answer = shown.answer
    if answer.label is None:
        tone, says, picture = ("good" if shown.right else "none"), "unknown", '<div class="nobody">?</div>'
    else:
        tone, says = ("good" if shown.right else "bad"), html.escape(answer.label)
        picture = _picture(enrolled[answer.label], answer.label)
    truth = "" if shown.right else f"<br>it is {html.escape(shown.truth or 'of no enrolled class')}"
    return (
        f'<div class="answer {tone}">{_picture(shown.picture, "the question")}<span class="arrow">→</span>{picture}'
        f'<div class="bar"><i style="width:{answer.confidence:.0%}"></i></div>'
        f'<div class="says"><b>{says}</b> {answer.confidence:.0%}{truth}</div></div>'
    )


def _picture(data: bytes, text: str) -> str:
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'
