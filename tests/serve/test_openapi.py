"""schemathesis asks what the OpenAPI document allows, and much that it does not: there is an answer to everything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from asking import drawing, files
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis")

_EXAMPLES = 25  # of each kind, for each operation

KINDS = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.mark.filterwarnings("ignore")  # schemathesis's own
def test_no_request_is_answered_with_a_fault(running: Callable[..., Any]) -> None:
    statuses: set[int] = set()
    with running() as service:
        for number in range(3):
            httpx.post(f"{service.url}/v1/classes/class {number}/examples", files=files(drawing(number)))
        schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
        for found in schema.get_all_operations():
            operation = found.ok()
            for kind in KINDS:

                @given(case=operation.as_strategy(generation_mode=kind))
                @settings(
                    max_examples=_EXAMPLES,
                    deadline=None,
                    derandomize=True,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                def ask(case: Any) -> None:
                    response = case.call()
                    statuses.add(response.status_code)
                    assert response.status_code < 500, (case.as_curl_command(), response.text)
                    said = response.headers["content-type"][0]  # what is no HTTP at all gets plain text
                    assert response.status_code < 400 or said in (
                        "application/problem+json",
                        "text/plain; charset=utf-8",
                    )

                with suppress(Unsatisfiable):  # nothing can be wrong where nothing is sent
                    ask()
        assert httpx.get(f"{service.url}/readyz").status_code == 200
        assert '"status": 500' not in service.log.read_text()
    assert {200, 404, 422} <= statuses
