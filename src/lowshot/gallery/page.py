"""Pages of pictures, sounds or texts: one HTML file each, no script, nothing fetched; light and dark, phone and desk."""

from __future__ import annotations

import base64
import html
import re
from datetime import UTC, datetime

from lowshot import __version__
from lowshot.text import printable

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
.support { display: grid; grid-template-columns: repeat(auto-fill, minmax(4.7rem, 1fr)); gap: .8rem .6rem; }
.support figure { margin: 0; }
.support img { width: 100%; max-width: 5.4rem; aspect-ratio: 1; padding: 4px; margin: 0 auto; }
figcaption { font-size: .7rem; color: var(--soft); overflow-wrap: anywhere; text-align: center; line-height: 1.25;
  margin-top: .25rem; }
.bar { height: 5px; border-radius: 3px; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--tone); }
summary { cursor: pointer; padding: .8rem 0; font-weight: 600; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .8rem; }
code { overflow-wrap: anywhere; }
"""


def page(title: str, body: str, made_with: str, style: str = "") -> bytes:
    """A whole page.

    Args:
        title: as the window shows it.
        body: HTML.
        made_with: HTML for the last line, after the date and the version: the command, for instance.
        style: CSS beside that of all pages.
    """
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(printable(title))}</title><style>{_STYLE}{style}</style>
{body}
<footer>Made on {datetime.now(UTC):%Y-%m-%d} by lowshot {__version__} with {made_with}</footer>
</html>
""".encode()


def escaped(text: object) -> str:
    """Text as HTML shows it, whatever is in it."""
    return html.escape(printable(text))


def breakable(text: object) -> str:
    """Text for the page; a long label may be broken behind its separators."""
    return re.sub(r"([/_-])(?=.)", r"\1<wbr>", escaped(text))


def sound(wav: bytes, text: object) -> str:
    """A sound to be played, with a text for those who cannot see the control."""
    source = f"data:audio/wav;base64,{base64.b64encode(wav).decode()}"
    return f'<audio controls aria-label="{escaped(text)}" src="{source}"></audio>'


def quotation(text: str) -> str:
    """A text as someone said it."""
    return f"<blockquote>{escaped(text)}</blockquote>"


def picture(png: bytes, text: object) -> str:
    """A picture, with a text for those who cannot see it."""
    return f'<img alt="{escaped(text)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
