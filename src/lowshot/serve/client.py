"""A service from Python, with the answers and the errors of a gallery in process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx
import numpy as np
from pydantic import TypeAdapter

from lowshot.data.forms import Form, Item, check_several, name_of, read_items, shown_item
from lowshot.encoder import Card
from lowshot.errors import (
    BadDescriptions,
    BadFiles,
    BadLabels,
    ConfigError,
    DataError,
    EmptyGallery,
    GalleryError,
    LowshotError,
    NoMatch,
    NotEnrolled,
    ServiceError,
)
from lowshot.gallery import Answer, Record
from lowshot.gallery.originals import contents

if TYPE_CHECKING:
    from lowshot.gallery.check import Check

_TRIES, _LONGEST_WAIT = 6, 10.0  # of a question that is refused for the moment; seconds between two

_ERRORS: Mapping[str, type[LowshotError]] = {
    "bad-descriptions": BadDescriptions,
    "bad-labels": BadLabels,
    "bad-parameters": ConfigError,
    "empty-gallery": EmptyGallery,
    "gallery": GalleryError,
    "no-match": NoMatch,
    "not-found": NotEnrolled,
}
_ANSWERS, _RECORDS = TypeAdapter(list[Answer]), TypeAdapter(list[Record])


class Client:
    """A gallery that a service holds.

    Args:
        url: where the service is, for instance ``http://127.0.0.1:8000``.
        key: of one that asks for keys.
        timeout: seconds for a request.

    Every method raises ServiceError where the service cannot be reached or refuses a request, and otherwise what the
    method of :class:`lowshot.Gallery` raises. Close it with :meth:`close` or a ``with`` block.

    Example::

        with lowshot.Client("http://127.0.0.1:8000") as client:
            client.enroll("seven", ["seven.png"])
            print(client.identify(["what.png"])[0].label)
    """

    def __init__(self, url: str, key: str | None = None, timeout: float = 30.0) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.url = url.rstrip("/")
        try:
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise ServiceError(f"{url!r} with this key is no address ({error}): give http://host:port") from None

    @cached_property
    def card(self) -> Card:
        """Of the gallery's encoder: what its items are. Asked for when first needed."""
        said = self._ask("GET", "/v1/encoder").json()
        return Card.model_validate({name: value for name, value in said.items() if name in Card.model_fields})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def identify(
        self,
        items: Sequence[Item],
        top: int = 5,
        where: Mapping[str, str | Sequence[str]] | None = None,
        gate: Sequence[str] = (),
        gate_recall: float = 0.99,
    ) -> list[Answer]:
        """Say what each item shows; see :meth:`lowshot.Gallery.identify`.

        Where the service is busy for the moment, it is asked again when it says, some times.
        """
        files = _files(items, self.card.form)
        if not files:
            return []
        pairs = [
            f"{key}={value}"
            for key, values in (where or {}).items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        fields = {"top": str(top), "where": pairs, "gate": list(gate), "gate_recall": str(gate_recall)}
        found = self._ask("POST", "/v1/identify", tries=_TRIES, data=fields, files=files)
        return _ANSWERS.validate_python(found.json()["answers"])

    def enroll(self, label: str, items: Sequence[Item], attributes: Mapping[str, str] | None = None) -> list[int]:
        """Enroll items under a label, all or none; see :meth:`lowshot.Gallery.enroll`.

        Args:
            label: their class.
            items: as there.
            attributes: further facts on all of them.
        """
        files = _files(items, self.card.form)
        if not files:
            return []
        fields = {"attributes": [f"{key}={value}" for key, value in (attributes or {}).items()]}
        found = self._ask("POST", f"{_of_class(label)}/examples", data=fields, files=files)
        ids: list[int] = found.json()["ids"]
        return ids

    def describe(self, descriptions: Mapping[str, str | Mapping[str, str]]) -> list[int]:
        """Enroll classes by what is said of them, all or none; see :meth:`lowshot.Gallery.describe`.

        Args:
            descriptions: as there; the values of attributes are learned from what the gallery holds.
        """
        said = {label: said if isinstance(said, str) else dict(said) for label, said in descriptions.items()}
        ids: list[int] = self._ask("POST", "/v1/descriptions", json={"descriptions": said}).json()["ids"]
        return ids

    def classes(self) -> dict[str, int]:
        """Each class and how many examples it has, in order of the labels."""
        found = self._ask("GET", "/v1/classes").json()["classes"]
        return {each["label"]: each["examples"] for each in found}

    def examples(self, label: str) -> list[Record]:
        """The examples of a class, oldest first."""
        return _RECORDS.validate_python(self._ask("GET", _of_class(label)).json()["examples"])

    def remove(self, ids: Sequence[int]) -> int:
        """Remove examples, one after the other; how many there were."""
        removed = [self._ask("DELETE", f"/v1/examples/{id}").json()["removed"] for id in dict.fromkeys(ids)]
        return sum(removed)

    def remove_class(self, label: str) -> int:
        """Remove a class; how many examples it had."""
        number: int = self._ask("DELETE", _of_class(label)).json()["removed"]
        return number

    def rename_class(self, label: str, to: str) -> int:
        """Give a class another label, which may be that of a class it joins; how many examples it had."""
        number: int = self._ask("PATCH", _of_class(label), json={"label": to}).json()["renamed"]
        return number

    def original(self, id: int) -> bytes:
        """The file an example was enrolled from."""
        return self._ask("GET", f"/v1/examples/{id}/file").content

    def check(self) -> Check:
        """What the gallery is worth, and what is wrong with it; see :func:`lowshot.gallery.check.check`."""
        from lowshot.gallery.check import Check

        return TypeAdapter(Check).validate_json(self._ask("GET", "/v1/check").content)

    def _ask(self, method: str, path: str, tries: int = 1, **more: Any) -> httpx.Response:
        """The response, where it is one of success. What is not to be done twice has one try."""
        for left in reversed(range(tries)):
            try:
                response = self._http.request(method, path, **more)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise ServiceError(f"{self.url} cannot be asked ({error}): is the service running there?") from None
            if response.status_code not in (429, 503) or not left:
                break
            time.sleep(_wait(response))
        if response.is_success:
            return response
        raise _error(response, self.url)


def _wait(response: httpx.Response) -> float:
    """Seconds that a service asks to wait."""
    said = response.headers.get("retry-after", "")
    return min(float(said), _LONGEST_WAIT) if said.isdecimal() else 1.0


def _error(response: httpx.Response, url: str) -> LowshotError:
    """What a response of failure says."""
    try:
        problem = response.json()
        kind, detail = problem["type"].rpartition("/")[2], problem["detail"]
        if kind == "bad-files":
            bad = [(file["name"], file["reason"]) for file in problem["files"]]
            return BadFiles(bad, max(len(bad), problem.get("of", 0)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ServiceError(f"{url} answered {response.status_code}, not as lowshot does: is this its address?")
    return _ERRORS.get(kind, ServiceError)(detail)


def _of_class(label: str) -> str:
    """The path of a class. Raises BadLabels where none can be asked for."""
    if label in ("", ".", ".."):
        raise BadLabels(f"the label {label!r} cannot be used with a service: give another one")
    return f"/v1/classes/{quote(label, safe='')}"


def _files(items: Sequence[Item], form: Form) -> list[tuple[str, tuple[str, bytes]]]:
    """Items as the files of a form. Raises BadFiles, which lists those that cannot be read."""
    check_several(items, form)
    files, problems = [], []
    for position, item in enumerate(items):
        try:
            if isinstance(item, np.ndarray):
                read_items([item], form)  # it becomes a file that the service reads, whatever its numbers meant
            files.append(("files", (name_of(item, form), contents([item], form)[0])))
        except BadFiles as error:
            problems.append((shown_item(item, position, form), error.problems[0][1]))
        except DataError as error:
            problems.append((shown_item(item, position, form), str(error)))
    if problems:
        raise BadFiles(problems, len(items))
    return files
