"""Who is let in: keys and their scopes, hosts and origins; and what is never written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import drawing, files, problem
from starlette.testclient import TestClient

from lowshot.errors import ConfigError
from lowshot.serve.settings import Key, Settings, is_loopback, read_keys

READ, WRITE = "r" * 20, "w" * 20
KEYS = (Key(scope="read", secret=READ), Key(scope="write", secret=WRITE))
CALLS = [
    ("GET", "/v1/classes", "read"),
    ("GET", "/v1/classes/a", "read"),
    ("GET", "/v1/examples/1", "read"),
    ("GET", "/v1/examples/1/image", "read"),
    ("GET", "/v1/check", "read"),
    ("GET", "/v1/map", "read"),
    ("GET", "/v1/encoder", "read"),
    ("GET", "/metrics", "read"),
    ("POST", "/v1/identify", "read"),
    ("POST", "/v1/classes/b/examples", "write"),
    ("PATCH", "/v1/classes/nothing", "write"),
    ("DELETE", "/v1/classes/nothing", "write"),
    ("DELETE", "/v1/examples/99", "write"),
]


def ask(client: TestClient, method: str, path: str, **headers: str) -> Any:
    given: dict[str, Any] = {"files": files(drawing(0))} if method == "POST" else {}
    given |= {"json": {"label": "b"}} if method == "PATCH" else {}
    return client.request(method, path, headers=headers, **given)


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
def test_keys(served: Callable[..., Any], method: str, path: str, scope: str) -> None:
    with served(keys=KEYS) as client:
        writer = {"Authorization": f"Bearer {WRITE}"}
        assert ask(client, "POST", "/v1/classes/a/examples", **writer).status_code == 201
        for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": f"Basic {WRITE}"}):
            response = ask(client, method, path, **headers)
            problem(response, 401, "no-key")
            assert response.headers["www-authenticate"] == "Bearer"
        for wrong in ("x" * 20, WRITE[:-1], WRITE + "w", "", "\xe9" * 20):
            problem(
                client.request(method, path, headers={"Authorization": f"Bearer {wrong}".encode("latin-1")}),
                401,
                "no-key",
            )
        response = ask(client, method, path, Authorization=f"Bearer {READ}")
        if scope == "write":
            problem(response, 403, "scope")
        else:
            assert response.status_code == 200
        assert ask(client, method, path, **writer).status_code in (200, 201, 404)


def test_what_needs_no_key(served: Callable[..., Any]) -> None:
    with served(keys=KEYS) as client:
        for path in ("/", "/page/index.html", "/healthz", "/readyz", "/docs", "/openapi.json"):
            assert client.get(path).status_code == 200
        problem(client.get("/nothing"), 401, "no-key")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "", "localhost.evil"]
)
def test_foreign_hosts_without_keys(client: TestClient, host: str) -> None:
    for path in ("/", "/v1/classes", "/healthz"):
        problem(client.get(path, headers={"Host": host}), 403, "foreign-host")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8000", "127.9.9.9", "[::1]", "[::1]:8000"]
)
def test_own_hosts_without_keys(client: TestClient, host: str) -> None:
    assert client.get("/v1/classes", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("keys", [(), KEYS])
def test_pages_of_other_sites(served: Callable[..., Any], keys: tuple[Key, ...]) -> None:
    key = {"Authorization": f"Bearer {WRITE}"} if keys else {}
    foreign = [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8001"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    own = [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}]
    with served(keys=keys) as client:
        for method, path, _ in CALLS:
            for headers in foreign:
                problem(ask(client, method, path, **headers, **key), 403, "foreign-origin")
            for headers in own:
                assert ask(client, method, path, **headers, **key).status_code in (200, 201, 404, 409)
            response = client.options(
                path, headers={"Origin": "http://evil.example", "Access-Control-Request-Method": method}
            )
            assert not [name for name in response.headers if name.startswith("access-control")]
        assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200  # a link somewhere
        assert [*client.get("/v1/classes", headers=key).json()["classes"]] == [
            {"label": "b", "examples": 1, "first": 1}
        ]


def test_the_log_has_a_line_a_request_and_no_secrets(
    served: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lowshot.access")
    with served(keys=KEYS) as client:
        ask(client, "POST", "/v1/classes/secret%1B[31mlabel/examples", Authorization=f"Bearer {WRITE}")
        client.get("/v1/classes", headers={"Authorization": "Bearer guessed-secret"})
        client.post(
            "/v1/identify", files=[("files", ("\x1b[2Jname", b"content"))], headers={"Authorization": f"Bearer {READ}"}
        )
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "lowshot.access"]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/v1/classes/{label:path}/examples", 422),
        ("GET", "-", 401),
        ("POST", "/v1/identify", 422),
    ]
    assert [line["problem"] for line in lines] == ["bad-labels", "no-key", "bad-files"]
    assert all(line["ms"] >= 0 and line["bytes"] > 0 for line in lines)
    for secret in (READ, WRITE, "guessed-secret", "\x1b"):
        assert secret not in caplog.text


def test_read_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\n read {READ}\nwrite {WRITE}\n")
    assert read_keys(file) == KEYS
    monkeypatch.setenv("LOWSHOT_KEYS", f"read {READ}\nwrite {WRITE}")
    assert read_keys() == KEYS
    monkeypatch.setenv("LOWSHOT_KEYS", "")
    assert read_keys() == ()
    assert READ not in repr(KEYS)


@pytest.mark.parametrize(
    "text", ["", "read", "admin " + READ, "read short", f"read {READ} more", "read " + "é" * 20, READ]
)
def test_keys_that_cannot_be(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_keys(file)
    assert READ not in str(raised.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_keys(tmp_path / "nothing")


def test_without_keys_only_this_machine_is_served() -> None:
    with pytest.raises(ConfigError, match="LOWSHOT_KEYS"):
        Settings.of(gallery="x", host="0.0.0.0")
    assert Settings.of(gallery="x", host="0.0.0.0", keys=KEYS).keys == KEYS
    assert [host for host in ("localhost", "::1", "127.1.2.3", "::", "example.com", "") if is_loopback(host)] == [
        "localhost",
        "::1",
        "127.1.2.3",
    ]


@pytest.mark.parametrize(
    "wrong", [{"port": 70000}, {"timeout": 0}, {"queue": 0}, {"max_body": 3}, {"workers": 0}, {"typo": 1}]
)
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Settings.of(gallery="x", **wrong)
