from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from lowshot.data.locate import Archive, cache_folder, find, locate
from lowshot.errors import DataError, DataNotFound

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Sends CONTENT; remembers the ranges asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        self.ranges: list[str | None] = []
        self.knows_ranges = True
        self.breaks_after = len(CONTENT)
        super().__init__(("127.0.0.1", 0), Handler)

    def archive(self, sha256: str = SHA256) -> Archive:
        return Archive("set/file.zip", f"http://127.0.0.1:{self.server_port}/file.zip", sha256)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version: ClassVar[str] = "HTTP/1.0"

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.knows_ranges else 0
        if self.path != "/file.zip":
            return self.send_error(404)
        if start >= len(CONTENT):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + self.server.breaks_after])
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(no_data: Path) -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def partial(no_data: Path) -> Path:
    folder = cache_folder() / "data" / "set"
    folder.mkdir(parents=True)
    return folder / "file.zip.partial"


def put(folder: Path, content: bytes) -> Path:
    (folder / "set").mkdir(parents=True)
    (folder / "set" / "file.zip").write_bytes(content)
    return folder / "set" / "file.zip"


def test_the_data_folder_comes_before_the_cache(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = put(cache_folder() / "data", b"cached")
    assert find("set/file.zip") == cached
    own = put(no_data / "own", b"repacked")
    monkeypatch.setenv("LOWSHOT_DATA", str(no_data / "own"))
    assert locate(Archive("set/file.zip", "http://127.0.0.1:9/x", SHA256)) == own  # taken as it is


def test_an_empty_variable_is_no_folder(
    no_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = tmp_path_factory.mktemp("here")
    put(here, b"")
    monkeypatch.chdir(here)
    monkeypatch.setenv("LOWSHOT_DATA", "")
    assert find("set/file.zip") is None


def test_cache_folder_follows_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOWSHOT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/lowshot")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "lowshot"


def test_downloads_once(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    path = locate(server.archive())
    assert path == cache_folder() / "data" / "set" / "file.zip"
    assert path.read_bytes() == CONTENT
    assert locate(server.archive()) == path
    assert server.ranges == [None]
    assert [each.name for each in path.parent.iterdir()] == ["file.zip"]
    shown = capfd.readouterr()
    assert shown.out == "" and "file.zip" in shown.err


def test_a_broken_connection_keeps_what_came_and_goes_on_there(server: Server, partial: Path) -> None:
    server.breaks_after = 100_000
    with pytest.raises(DataNotFound, match="broke off after 100000 of 512000 bytes"):
        locate(server.archive())
    assert partial.read_bytes() == CONTENT[:100_000]
    server.breaks_after = len(CONTENT)
    assert locate(server.archive()).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]
    assert not partial.exists()


def test_a_server_without_ranges_starts_over(server: Server, partial: Path) -> None:
    partial.write_bytes(b"x" * (len(CONTENT) - 1))
    server.knows_ranges = False
    assert locate(server.archive()).read_bytes() == CONTENT


def test_a_partial_file_that_was_whole_is_used(server: Server, partial: Path) -> None:
    partial.write_bytes(CONTENT)
    assert locate(server.archive()).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("left_before", [b"", b"other", CONTENT + b"more"])
def test_another_checksum_removes_the_file(server: Server, partial: Path, left_before: bytes) -> None:
    partial.write_bytes(left_before)
    with pytest.raises(DataError, match="SHA-256") as raised:
        locate(server.archive(sha256="0" * 64) if left_before == b"" else server.archive())
    assert "\n" not in str(raised.value)
    assert list(partial.parent.iterdir()) == []


def test_interrupting_keeps_what_came(server: Server, partial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.progress import Progress

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        locate(server.archive())
    monkeypatch.undo()
    assert 0 < partial.stat().st_size < len(CONTENT)
    assert CONTENT.startswith(partial.read_bytes())


def test_two_at_once_fetch_it_once(server: Server) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(locate(server.archive()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 4
    assert found[0].read_bytes() == CONTENT
    assert server.ranges == [None]


def test_missing_names_the_three_places(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    archive = Archive("set/file.zip", f"http://127.0.0.1:{server.server_port}/moved.zip", SHA256)
    with pytest.raises(DataNotFound) as raised:
        locate(archive)
    message = str(raised.value)
    assert "\n" not in message
    assert "$LOWSHOT_DATA (not set)" in message
    assert str(cache_folder() / "data") in message
    assert f"{archive.url} could not be downloaded (HTTP Error 404" in message
    monkeypatch.setenv("LOWSHOT_DATA", str(tmp_path))
    with pytest.raises(DataNotFound, match=f"LOWSHOT_DATA \\({tmp_path}\\)"):
        locate(archive)


def test_a_cache_that_cannot_be_written_is_not_the_networks_fault(server: Server, no_data: Path) -> None:
    (no_data / "cache").write_text("not a folder")
    with pytest.raises(DataNotFound, match=r"cannot be kept .*LOWSHOT_CACHE") as raised:
        locate(server.archive())
    assert "downloaded" not in str(raised.value) and server.ranges == []


def test_no_network_says_why_in_words(no_data: Path) -> None:
    with pytest.raises(DataNotFound, match=r"could not be downloaded \(Connection refused\)"):
        locate(Archive("set/file.zip", "http://127.0.0.1:9/file.zip", SHA256))


def test_no_network_is_data_not_found(no_data: Path) -> None:
    with pytest.raises(DataNotFound, match="could not be downloaded"):
        locate(Archive("set/file.zip", "http://127.0.0.1:9/file.zip", SHA256))
