"""Who may ask what: hosts, origins and keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from lowshot.serve.problems import Refused
from lowshot.serve.settings import Key, is_loopback

_OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json", "/page/")  # what tells nothing about a gallery
_READS = {"GET", "HEAD", "OPTIONS"}
_OWN = {"same-origin", "none"}  # who asks, as browsers say: our page, or the user


class Guard:
    """Knows who may ask what.

    Without keys nobody but this machine can connect, so that a page of a foreign site, in a browser on this machine, is
    the one stranger left. It is known by its origin; or, where its name was made to point here, by that name.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple((_digest(key.secret.encode()), key.scope) for key in keys)

    def check(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> None:
        """Raises Refused where that may not be asked."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._keys and not is_loopback(_name(host)):
            raise Refused("foreign-host", "without keys this service answers to localhost and 127.0.0.1 only")
        if path == "/" or path.startswith(_OPEN):
            return
        _check_origin(host, headers)
        if self._keys:
            self._check_key("read" if method in _READS or path == "/v1/identify" else "write", headers)

    def _check_key(self, scope: str, headers: Mapping[bytes, bytes]) -> None:
        kind, _, secret = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not secret:
            raise Refused("no-key", "send a key: Authorization: Bearer KEY")
        digest = _digest(secret.strip())
        scopes = {scope for known, scope in self._keys if hmac.compare_digest(known, digest)}
        if not scopes:
            raise Refused("no-key", "this key is not known here")
        if scope == "write" and "write" not in scopes:
            raise Refused("scope", "this key allows to read only: use one that allows to write")


def _check_origin(host: str, headers: Mapping[bytes, bytes]) -> None:
    """Raises Refused where a browser says that a page of another site asks; programs say nothing, and are no browsers."""
    site = headers.get(b"sec-fetch-site", b"").decode("latin-1")
    origin = headers.get(b"origin", b"").decode("latin-1").lower()
    foreign = site not in _OWN if site else bool(origin) and origin.partition("://")[2] != host
    if foreign:
        raise Refused("foreign-origin", "a page of another site asked: only the page of this service may")


def _name(host: str) -> str:
    """The Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
