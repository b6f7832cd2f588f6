"""Keeping freed memory, so that a training step on the CPU does not wait for the kernel."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # names of glibc's <malloc.h>, there with the prefix M_


def keep_freed_memory() -> None:
    """Tell glibc to reuse large blocks instead of returning them; elsewhere, do nothing.

    Each step of a convolutional network allocates and frees the same hundreds of megabytes. By default glibc maps and
    unmaps every large block, and the kernel clears each page anew: half of the time of a step, as measured by
    ``benchmarks/training.py``.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_TOP_PAD, 64 << 20)
