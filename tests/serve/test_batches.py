"""Questions that come together are answered together, and as if each had come alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from asking import drawing, files

from lowshot import Encoder, Gallery
from lowshot.errors import NoMatch
from lowshot.serve.batches import Job, answer
from lowshot.serve.bodies import Question

PLAIN = Question(top=2, where=(), gate=(), gate_recall=0.99)


class Asked:
    """Stands for who waits."""

    def cancelled(self) -> bool:
        return False


@pytest.fixture
def gallery(tmp_path: Any, tiny_encoder: Encoder) -> Any:
    with Gallery.open(tmp_path / "g", tiny_encoder, create=True) as gallery:
        rng = np.random.default_rng(0)
        pictures = list(rng.integers(0, 256, (12, 8, 8), np.uint8))
        labels = [f"class {i % 4}" for i in range(12)]
        gallery.enroll(pictures, labels, attributes=[{"color": "red" if i % 2 else "blue"} for i in range(12)])
        yield gallery


def job(number: int, items: int, question: Question = PLAIN) -> Job:
    pixels = np.random.default_rng(number).integers(0, 256, (items, 8, 8, 1), np.uint8)
    return Job(Asked(), [""] * items, pixels, question)  # type: ignore[arg-type]


def test_each_job_gets_its_own_answers(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    red = Question(top=1, where=(("color", ("red",)),), gate=(), gate_recall=0.99)
    jobs = [job(0, 1), job(1, 3, red), job(2, 2), job(3, 1, red)]
    alone = [
        gallery.identify(list(each.pixels), each.question.top, dict(each.question.where))  # type: ignore[arg-type]
        for each in jobs
    ]
    calls: list[int] = []
    real = Encoder.embed
    monkeypatch.setattr(Encoder, "embed", lambda self, items: calls.append(len(items)) or real(self, items))
    answer(gallery, jobs)
    assert calls == [7]
    for each, expected in zip(jobs, alone, strict=True):
        assert each.fault is None and len(each.answers) == len(expected)
        for found, known in zip(each.answers, expected, strict=True):
            assert (found.label, found.compared, found.examples[0].id) == (
                known.label,
                known.compared,
                known.examples[0].id,
            )
            assert found.confidence == pytest.approx(known.confidence, abs=1e-5)


def test_a_question_that_fails_harms_no_other(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [job(0, 1), job(1, 1, Question(2, (("color", ("green",)),), (), 0.99)), job(2, 1)]
    answer(gallery, jobs)
    assert isinstance(jobs[1].fault, NoMatch) and not jobs[1].answers
    assert jobs[0].answers and jobs[2].answers
    monkeypatch.setattr(Encoder, "embed", lambda *_: 1 / 0)
    jobs = [job(0, 1), job(2, 1)]
    answer(gallery, jobs)
    assert all(isinstance(each.fault, ZeroDivisionError) for each in jobs)


def test_what_waits_is_embedded_in_one_call(served: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first call of the encoder lasts the others gather; a bad file among them is refused alone."""
    sizes: list[int] = []
    first, gathered = threading.Event(), threading.Event()
    real = Encoder.embed

    def embed(self: Encoder, items: Any) -> Any:
        sizes.append(len(items))
        first.set()
        assert gathered.wait(20)
        return real(self, items)

    with served() as client:
        for number in range(4):
            client.post(f"/v1/classes/class {number}/examples", files=files(drawing(number)))
        client.post("/v1/identify", files=files(drawing(0)))
        monkeypatch.setattr(Encoder, "embed", embed)
        with ThreadPoolExecutor(34) as pool:

            def ask(number: int) -> Any:
                return client.post("/v1/identify", files=files(b"bad" if number == 7 else drawing(number % 4)))

            alone = pool.submit(ask, 0)
            assert first.wait(20)
            others = [pool.submit(ask, number) for number in range(1, 32)]
            while len(client.app.service._batches._jobs) < 30:
                threading.Event().wait(0.01)
            gathered.set()
            found = [each.result() for each in (alone, *others)]
        assert sizes == [1, 30]
        assert [each.status_code for each in found] == [422 if number == 7 else 200 for number in range(32)]
        for number, each in enumerate(found):
            if number != 7:
                assert each.json()["answers"][0]["candidates"][0]["label"] == f"class {number % 4}"
        assert client.app.service.places.taken == 0
