"""Bodies of every kind: what they hold comes out as it was put in, and what is no body is refused, never a fault."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lowshot.errors import BadFiles
from lowshot.serve.bodies import check_sizes, read_enroll, read_identify
from lowshot.serve.problems import Refused

FORM = "multipart/form-data; boundary=b"
TYPES = ("application/json", FORM, 'multipart/form-data;boundary=""', "x")

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf"]), max_size=20)
names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"], exclude_characters='\\"'),
    max_size=20,
)


@given(
    st.lists(st.tuples(names, st.binary(max_size=300)), min_size=1, max_size=5),
    st.dictionaries(texts.filter(lambda key: key and "=" not in key), texts, max_size=3),
)
def test_forms_and_json_hold_the_same(sent: list[tuple[str, bytes]], attributes: dict[str, str]) -> None:
    form = httpx.Request(
        "POST",
        "http://x",
        files=[("files", (name, content)) for name, content in sent],
        data={"attributes": [f"{key}={value}" for key, value in attributes.items()]},
    )
    items = [
        {"data": base64.b64encode(content).decode(), "name": name, "attributes": attributes} for name, content in sent
    ]
    by_form = read_enroll(form.headers["content-type"], form.read(), 5)
    by_json = read_enroll("application/json", json.dumps({"items": items}).encode(), 5)
    for read in (by_form, by_json):
        assert list(read.contents) == [content for _, content in sent]
        assert list(read.names) == [name for name, _ in sent]
        assert [dict(each) for each in read.attributes] == [attributes] * len(sent)


def test_questions_that_are_equal_read_alike() -> None:
    form = httpx.Request(
        "POST",
        "http://x",
        files=[("files", ("a", b"x"))],
        data={"where": ["b=2", "a=1", "b=1"], "gate": ["c"], "top": "3"},
    )
    given = {"items": [{"data": ""}], "where": {"a": ["1"], "b": ["1", "2"]}, "gate": ["c"], "top": 3}
    by_form = read_identify(form.headers["content-type"], form.read(), 5)[1]
    by_json = read_identify("application/json", json.dumps(given).encode(), 5)[1]
    assert by_form == by_json and hash(by_form) == hash(by_json)


@given(st.sampled_from(TYPES), st.binary(max_size=400))
@example(
    FORM,
    b'--b\r\nContent-Disposition: form-data; name="files"; filename="\xff\xfe"\r\n\r\nx\r\n--b--',
)
@example(FORM, b"--b\r\nContent-Disposition: form-data; name*=utf-8''%ff\r\n\r\nx\r\n--b--")
@example("multipart/form-data; boundary=" + "b" * 5000, b"")
@example("multipart/form-data; boundary=\u00e9", b"--\xe9--")
def test_anything_at_all_is_read_or_refused(media_type: str, body: bytes) -> None:
    for read in (read_identify, read_enroll):
        with suppress(Refused, BadFiles):
            read(media_type, body, 3)


def test_names_are_one_line_of_some_length() -> None:
    body = {"items": [{"data": "", "name": "../" * 1000}, {"data": "", "name": "a\nb\x1b[31m\u202egnp"}, {"data": ""}]}
    read = read_enroll("application/json", json.dumps(body).encode(), 5)
    assert [len(name) for name in read.names] == [500, len(read.names[1]), 0]
    assert read.names[1] == "a\\nb\\x1b[31m\\u202egnp"
    with pytest.raises(BadFiles) as raised:
        check_sizes(read, 100)
    assert [name for name, _ in raised.value.problems][2] == "item 2"


def test_a_form_of_very_many_parts() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'
    with pytest.raises(Refused, match="parts"):
        read_identify(FORM, part * 100_000 + b"--b--", 3)
