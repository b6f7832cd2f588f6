"""How a gallery is served: where, to whom, and within which limits."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lowshot.errors import ConfigError

KEYS = "LOWSHOT_KEYS"  # the environment variable
_SHORTEST_KEY = 16

Scope = Literal["read", "write"]


class Key(BaseModel):
    """What a client shows to be let in. To write includes to read."""

    model_config = ConfigDict(frozen=True)

    scope: Scope
    secret: str = Field(repr=False)


class Settings(BaseModel):
    """Everything about a service.

    Attributes:
        gallery: its file or address; made where there is none.
        encoder: as for :meth:`lowshot.Gallery.open`.
        host, port: where to listen; port 0 takes a free one.
        workers: processes that answer.
        keys: of clients; without any, only this machine is served.
        max_body: bytes of a request.
        max_pixels: of a picture.
        max_files: files of a request.
        queue: items that may wait in a process, or be worked on.
        timeout: seconds that a request may take.
        drain: seconds between the signal to end and the end of listening.
        log: whether each request is logged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gallery: str
    encoder: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=256)
    keys: tuple[Key, ...] = ()
    max_body: int = Field(default=16 << 20, ge=1024)
    max_pixels: int = Field(default=24_000_000, ge=1)
    max_files: int = Field(default=64, ge=1)
    queue: int = Field(default=256, ge=1)
    timeout: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    drain: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    log: bool = True

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Settings of these values. Raises ConfigError where one is out of its range, or they do not go together."""
        try:
            settings = cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            raise ConfigError(f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}, not {first['input']!r}") from None
        if not settings.keys and not is_loopback(settings.host):
            raise ConfigError(
                f"without keys only this machine is served, not {settings.host}: set {KEYS} or give --keys FILE, or leave "
                "out --host"
            )
        return settings


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own, which no other can reach."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_keys(file: Path | None = None) -> tuple[Key, ...]:
    """The keys in a file, or else in the environment variable ``LOWSHOT_KEYS``: lines ``read KEY`` or ``write KEY``.

    Empty lines and lines that begin with ``#`` say nothing. Raises ConfigError where a line is something else, or a key is
    so short that it may be guessed.
    """
    if file is None:
        return _keys(os.environ.get(KEYS, "").splitlines(), KEYS)
    try:
        keys = _keys(file.read_text("utf-8").splitlines(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read ({getattr(error, 'strerror', None) or 'it is no text'})") from None
    if not keys:
        raise ConfigError(f"{file} has no key: write lines `read KEY` or `write KEY`")
    return keys


def _keys(lines: Iterable[str], place: str) -> tuple[Key, ...]:
    return tuple(
        _key(line.split(), f"line {number} of {place}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    )


def _key(words: list[str], place: str) -> Key:
    """Raises ConfigError, which does not repeat what may be a secret."""
    if len(words) != 2 or words[0] not in ("read", "write"):
        raise ConfigError(f"{place} is no key: write `read KEY` or `write KEY`")
    scope, secret = words
    if len(secret) < _SHORTEST_KEY or not secret.isascii():
        raise ConfigError(f"the key in {place} must have {_SHORTEST_KEY} ASCII characters or more, drawn at random")
    return Key(scope="write" if scope == "write" else "read", secret=secret)
