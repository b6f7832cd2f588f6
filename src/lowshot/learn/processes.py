"""Several processes that learn together, and signals that ask one to stop."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

import torch


@contextlib.contextmanager
def processes() -> Iterator[int]:
    """This process's rank; joins the others when started by torchrun, and leaves them at the end."""
    if torch.distributed.is_initialized():
        yield torch.distributed.get_rank()
    elif int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0
    else:
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        try:
            yield torch.distributed.get_rank()
            torch.distributed.barrier()  # nobody leaves while the first one writes: its group would end under it
        finally:
            gc.collect()  # what wraps a trained network holds on to the group, in circles
            torch.distributed.destroy_process_group()


@dataclass
class Stop:
    """Whether the run was asked to stop."""

    asked: bool = False


@contextlib.contextmanager
def stoppable() -> Iterator[Stop]:
    """Turn the first Ctrl-C or SIGTERM into a wish, to be looked at between steps; a second one acts as ever.

    An exception in the middle of a step would leave weights and optimizer at odds.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.asked = True
        restore()

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()
