"""The reading and writing of ONNX metadata, against the ``onnx`` package, and on bytes that are anything but ONNX."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowshot.encoder import onnx_file
from lowshot.errors import EncoderError

_METADATA = st.dictionaries(st.text(max_size=300), st.text(max_size=300), max_size=5)


@given(metadata=_METADATA)
def test_what_is_joined_comes_apart(tiny_model: Callable[..., bytes], metadata: dict[str, str]) -> None:
    graph, _ = onnx_file.split(tiny_model())
    assert onnx_file.split(onnx_file.join(graph, metadata)) == (graph, metadata)


@given(metadata=_METADATA)
def test_the_onnx_package_reads_the_same(tiny_model: Callable[..., bytes], metadata: dict[str, str]) -> None:
    onnx = pytest.importorskip("onnx")
    graph, _ = onnx_file.split(tiny_model())
    model = onnx.load_from_string(onnx_file.join(graph, metadata))
    assert {prop.key: prop.value for prop in model.metadata_props} == metadata
    onnx.checker.check_model(model)


@given(metadata=_METADATA)
def test_what_the_onnx_package_writes_is_read(tiny_model: Callable[..., bytes], metadata: dict[str, str]) -> None:
    onnx = pytest.importorskip("onnx")
    graph, _ = onnx_file.split(tiny_model())
    model = onnx.load_from_string(graph)
    onnx.helper.set_model_props(model, metadata)
    model.producer_name = "x" * 300  # a length of two bytes
    bare, found = onnx_file.split(model.SerializeToString())
    assert found == metadata
    assert onnx.load_from_string(bare).graph == model.graph


@given(content=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        graph, metadata = onnx_file.split(content)
    except EncoderError:
        return
    assert onnx_file.split(onnx_file.join(graph, metadata)) == (graph, metadata)


@given(data=st.data())
def test_a_file_cut_short_is_refused_or_lacks_metadata(tiny_model: Callable[..., bytes], data: st.DataObject) -> None:
    model = tiny_model()
    cut = data.draw(st.integers(0, len(model) - 1))
    try:
        graph, metadata = onnx_file.split(model[:cut])
    except EncoderError:
        return
    # The cut fell between two fields: what is left is whole.
    assert len(graph) == cut
    assert metadata == {}


def test_equal_parts_in_other_places_differ() -> None:
    assert onnx_file.digest(b"ab", b"c") != onnx_file.digest(b"a", b"bc")
    assert onnx_file.digest(b"ab", b"c") == onnx_file.digest(b"ab", b"c")
