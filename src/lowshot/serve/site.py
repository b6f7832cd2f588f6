"""The page's files, held in memory: no name that a client sends ever becomes a path."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "media-src 'self' blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Site:
    """The files of a folder, by name."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {file.name: _File(file) for file in folder.iterdir() if file.is_file()}

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def response(self, name: str, request: Request) -> Response:
        """A file; nothing but 304 where the browser has it. ``no-cache``: it asks each time, so that a new version shows."""
        file = self._files[name]
        headers = {"ETag": file.tag, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
        if is_known(request, file.tag):
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.media_type)


class _File:
    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        self.tag = f'"{hashlib.blake2b(self.content, digest_size=16).hexdigest()}"'
        # Not as the system's table says: that of some gives scripts a type that browsers refuse.
        own = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
        self.media_type = own.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def is_known(request: Request, tag: str) -> bool:
    """Whether a browser says that it has what a tag tells."""
    return tag in [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
