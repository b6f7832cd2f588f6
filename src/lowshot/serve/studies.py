"""What takes seconds and is about the whole gallery: computed aside, once, and kept until something changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from pydantic_core import to_json

from lowshot.gallery import Gallery


def _check(gallery: Gallery) -> Any:
    from lowshot.gallery.check import check  # only for this

    return check(gallery).as_dict()


def _map(gallery: Gallery) -> Any:
    from lowshot.gallery.map import layout  # brings t-SNE

    return layout(gallery)


STUDIES: Mapping[str, Callable[[Gallery], Any]] = MappingProxyType({"check": _check, "map": _map})


class Studies:
    """The studies of a gallery, in one thread: who asks meanwhile waits for the same result."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._kept: dict[str, tuple[Hashable, bytes]] = {}
        self._thread = ThreadPoolExecutor(1, "lowshot-studies")

    async def json(self, name: str) -> bytes:
        """What :data:`STUDIES` of that name finds. Raises EmptyGallery where nothing is enrolled."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._study, name)

    def _study(self, name: str) -> bytes:
        self._gallery.recognizer  # noqa: B018  # learns where that is due, which is a change
        version = self._gallery.version()
        if name not in self._kept or self._kept[name][0] != version:
            found = to_json(STUDIES[name](self._gallery), inf_nan_mode="null")
            self._kept[name] = (version, found)
        return self._kept[name][1]

    def close(self) -> None:
        """Finish the study that is under way, and none that waits."""
        self._thread.shutdown(cancel_futures=True)
