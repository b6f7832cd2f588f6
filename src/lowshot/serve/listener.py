"""The socket at which a service listens."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from contextlib import suppress

from lowshot.errors import ConfigError
from lowshot.serve.settings import Settings

_ATTACH_FILTER, _DETACH_FILTER = 26, 27  # of Linux; Python does not name them
# A socket filter (see "Linux Socket Filtering" in the kernel's documentation): the byte of a segment that holds TCP's flags
# is loaded; where SYN is among them nothing of the segment is kept, else all of it.
_NO_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


def listen(settings: Settings) -> socket.socket:
    """A socket at the address. Raises ConfigError where it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"{settings.host} port {settings.port} cannot be used ({error.strerror or error}): choose others with --host "
            "and --port"
        ) from None
    listener.set_inheritable(True)
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def turn_away(listener: socket.socket) -> None:
    """Let nobody begin to connect any more; who has begun may finish.

    A listener that is closed resets the connections that nobody has taken yet, though their clients have asked already. On
    Linux a filter keeps new ones out before; it holds for all processes that share the listener. Elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in _NO_SYN))
    program = struct.pack("HP", len(_NO_SYN), ctypes.addressof(code))
    with suppress(OSError):  # not every container allows it
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)


def let_in(listener: socket.socket) -> None:
    """Undo :func:`turn_away`."""
    if sys.platform == "linux":
        with suppress(OSError):  # there is nothing to undo
            listener.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
