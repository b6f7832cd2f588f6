"""What is Milvus's own: its address, its limits, and what a crash leaves behind. The rest is in test_contract.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from milvus_server import milvus_server
from PIL import Image

from lowshot import Encoder, Gallery
from lowshot.data import ImageForm
from lowshot.encoder import Card
from lowshot.errors import GalleryError
from lowshot.gallery.milvus import MilvusStore, connection, files, ids, is_there, layout
from lowshot.gallery.store import Row, is_address, open_store
from lowshot.recognize.unknown import Calibration

pytest.importorskip("pymilvus")

CALIBRATION = Calibration(evidence=3.0, sharpness=6.0, contrast=7.0, typical=0.3, spread=0.1, genuine=10, impostors=10)


def _facts(features: int = 6, distance: str = "cosine") -> dict[str, str]:
    fields: dict[str, Any] = {"distance": distance, "features": features}
    card = Card(name="made", form=ImageForm(height=2, width=2, channels=1), mean=(0.0,), std=(1.0,), **fields)
    return {"card": card.model_dump_json(), "fingerprint": "abc", "source": "", "precision": "float32"}


def _row(label: str = "a", seed: int = 0, picture: bytes | None = b"picture", **fields: Any) -> Row:
    feature = np.random.default_rng(seed).normal(size=6).astype(np.float32)
    return Row(**{"label": label, "name": "", "attributes": {}, "feature": feature, "original": picture, **fields})


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        [
            "milvus+http://host",
            "milvus+http://host/",
            "milvus+http:///name",
            "milvus+http://host:port/name",
            "milvus+http://host/a-b",
            "milvus+http://host/a/b",
            "milvus+http://host/a?b=c",
            "milvus+http://me:secret@host/a-b",
        ],
    )
    def test_what_is_none_is_refused(self, address: str) -> None:
        assert is_address(address)
        with pytest.raises(GalleryError, match="is no address of a gallery: give milvus") as caught:
            open_store(address)
        assert "secret" not in str(caught.value)

    def test_a_file_is_no_address(self) -> None:
        assert not is_address("my.gallery") and not is_address("/tmp/milvus.gallery")

    @pytest.mark.parametrize("use", [open_store, is_there, lambda address: Gallery.open(address, create=True)])
    def test_a_server_that_is_not_there_is_named(self, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "PATIENCE", 3)
        with pytest.raises(GalleryError, match=r"milvus\+http://127.0.0.1:9/name cannot be reached") as caught:
            use("milvus+http://me:secret@127.0.0.1:9/name")
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("distance", ["l1"])
def test_what_milvus_cannot_compare_is_refused(distance: str) -> None:
    with pytest.raises(GalleryError, match="Milvus does not compare by l1"):
        layout.read_card("here", _facts(distance=distance))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": "日" * 300}, "the label of an example of '日+' has 900 bytes, Milvus holds 800"),
        ({"name": "x" * 70_000}, "the name .* has 70000 bytes"),
        ({"attributes": {"a": "x" * 70_000}}, "the attributes .* Milvus holds 65536"),
        ({"attributes": {"": "x"}}, "has no name"),
        ({"feature": np.zeros(5, np.float32)}, "not 6 finite numbers"),
        ({"feature": np.full(6, np.nan, np.float32)}, "not 6 finite numbers"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_kept_as_it_is_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(GalleryError, match=message):
        layout.check(_row(**fields), 6)


def test_a_picture_that_cannot_be_kept_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LARGEST", 1 << 20)
    with pytest.raises(GalleryError, match=r"the picture .* has 2 MiB, Milvus is given up to 1"):
        layout.check(_row(picture=bytes(2 << 20)), 6)


on_server = pytest.mark.milvus


@pytest.fixture
def store(milvus: str) -> Iterator[MilvusStore]:
    with closing(MilvusStore(f"{milvus}/m{uuid.uuid4().hex}", _facts())) as opened:
        yield opened


@on_server
def test_a_collection_of_something_else_is_left_alone(milvus: str, store: MilvusStore) -> None:
    client = store._connection.client
    client.create_collection("others", dimension=4)
    for facts in (None, _facts()):
        with pytest.raises(GalleryError, match="is a collection of something else: give another name"):
            MilvusStore(f"{milvus}/others", facts)
    assert client.describe_collection("others")["properties"] == {}


@on_server
def test_a_newer_format_is_refused(milvus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FORMAT", "lowshot gallery, format 2")
    with closing(MilvusStore(f"{milvus}/newer", _facts())) as newer:
        newer.facts()
    monkeypatch.undo()
    with pytest.raises(GalleryError, match="format 2, this lowshot reads 'lowshot gallery, format 1'"):
        MilvusStore(f"{milvus}/newer")


@on_server
def test_a_creation_that_was_cut_short_is_finished_by_the_next(milvus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"{milvus}/m{uuid.uuid4().hex}"
    monkeypatch.setattr(layout, "serve", lambda *_: None)
    with closing(MilvusStore(place, _facts())) as cut:
        cut._make()
    monkeypatch.undo()
    with closing(MilvusStore(place)) as store:
        assert store.add([_row()]) and store.facts() == _facts()


@on_server
def test_what_a_crash_leaves_of_an_enrollment_is_not_seen_and_swept_away(
    store: MilvusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store.add([_row("kept", picture=os.urandom(100_000))])
    insert = store._connection.client.insert
    monkeypatch.setattr(store._connection.client, "insert", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):  # as if killed when the pictures are written and the examples are not
        store.add([_row("lost", seed, os.urandom(60_000)) for seed in range(3)])
    monkeypatch.setattr(store._connection.client, "insert", insert)
    assert [record.label for record in store.records()] == ["kept"]

    def parts() -> int:
        return store._connection.count(store._connection.files, "file > 0")

    assert parts() == 3 + 3 * 2
    with closing(MilvusStore(store.place)) as again:
        again.add([_row("new", 4, None)])
        assert parts() == 9  # another client may be about to write their examples
    monkeypatch.setattr(files, "_ORPHANED", -1)
    with closing(MilvusStore(store.place)) as again:
        again.add([_row("newer", 5, None)])
        assert parts() == 3
        assert again.original(kept[0]) is not None


@on_server
def test_a_missing_picture_is_damage(store: MilvusStore) -> None:
    (id,) = store.add([_row()])
    store._files.remove({id: 1})
    store._connection.changed()
    with pytest.raises(GalleryError, match="damaged"):
        store.original(id)


@on_server
def test_too_much_at_once_is_refused_before_anything_is_written(
    store: MilvusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_REQUEST", 1 << 20)
    with pytest.raises(GalleryError, match=r"takes 1 MiB in one call, all or nothing, not \d: do it in parts"):
        store.add([_row(str(i), i, None, name="x" * 60_000) for i in range(40)])
    assert store.is_empty()


@on_server
def test_many_at_once(store: MilvusStore) -> None:
    added = store.add([_row(f"class {i % 700}", i, None) for i in range(20_000)])
    assert added == sorted(set(added)) and len(store) == 20_000 and len(store.classes()) == 700
    assert [row.id for row in store.rows(originals=False)] == added
    index = store.index(layout.read_card("", _facts()))
    index.follow()
    query = _row(seed=1234).feature
    (compared,) = index.compare(query[None], 3, CALIBRATION)
    assert compared.classes == 700
    assert index.held(1000).ids.tolist()[:1] == added[:1] or len(index.held(1000).ids) < 2000
    assert store.remove(added[:-1]) == 19_999 and len(store) == 1


@on_server
def test_ids_of_several_clients(store: MilvusStore) -> None:
    store.facts()
    one, two = ids.Ids(store._connection), ids.Ids(store._connection)
    taken = one.take(3) + two.take(1500) + one.take(1100) + two.take(600)
    assert len(set(taken)) == len(taken)
    one.pass_over(50_500)
    assert one.take(1)[0] > 50_500 and ids.Ids(store._connection).take(1)[0] > 50_500
    assert len([a for a in store._connection.described()["aliases"] if "_ids_" in a]) == 1  # only the last is kept


_ENROLL = """
import sys
import numpy as np
from lowshot.gallery.store import Row, open_store
store = open_store(sys.argv[1])
for line in sys.stdin:
    print(*store.add([Row(line.strip(), "", {}, np.ones(6, np.float32), None)]), flush=True)
"""


@on_server
def test_what_another_process_adds_is_seen_by_the_next_query(store: MilvusStore) -> None:
    store.facts()
    command = [sys.executable, "-c", _ENROLL, store.place]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        for turn in range(5):
            print(f"label {turn}", file=process.stdin, flush=True)
            (id,) = map(int, process.stdout.readline().split())
            assert store.some([id])[id].name == "" and len(store) == turn + 1
        process.stdin.close()
    assert process.returncode == 0


@on_server
def test_clustered_classes_are_found(store: MilvusStore) -> None:
    """500 classes of 20 close together: the nearest class must be that of an exact comparison."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(500, 6)), 20, axis=0) + rng.normal(0, 0.1, (10_000, 6))
    features = features.astype(np.float32)
    store.add([Row(f"class {i // 20}", "", {}, feature, None) for i, feature in enumerate(features)])
    store._connection.client.flush(store._connection.examples)
    index = store.index(layout.read_card("", _facts()))
    index.follow()
    queries = features[::331] + rng.normal(0, 0.05, features[::331].shape).astype(np.float32)
    found = [each.labels[0] for each in index.compare(queries, 1, CALIBRATION)]
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    means = units.reshape(500, 20, 6).mean(axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert found == [f"class {c}" for c in (queries @ means.T).argmax(axis=1)]


@on_server
def test_float16_is_refused_where_it_would_do_nothing(milvus: str, tiny_encoder: Encoder) -> None:
    with pytest.raises(GalleryError, match="float32"):
        Gallery.open(f"{milvus}/half", tiny_encoder, create=True, float16=True)


@on_server
def test_commands_take_an_address(milvus: str, lowshot: Any, tiny_model: Any, tmp_path: Path) -> None:
    place, encoder, pictures = f"{milvus}/m{uuid.uuid4().hex}", tmp_path / "tiny.onnx", tmp_path / "pictures"
    encoder.write_bytes(tiny_model())
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (pictures / label).mkdir(parents=True)
        pattern = rng.integers(0, 256, (8, 8))
        for i in range(3):
            noisy = np.clip(pattern + rng.normal(0, 20, (8, 8)), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(pictures / label / f"{i}.png")
    ran = lowshot("enroll", place, pictures, "--encoder", encoder)
    assert ran.status == 0, ran
    assert lowshot("enroll", place, pictures, "--bulk", "--workers", 0).status == 0  # there already
    (answer,) = json.loads(lowshot("identify", place, pictures / "cat" / "0.png", "--json").out)
    assert answer["candidates"][0]["label"] == "cat"
    listed = json.loads(lowshot("gallery", "list", place, "--json").out)
    assert "cat" in str(listed) and "dog" in str(listed)
    assert lowshot("gallery", "check", place).status == 0
    assert lowshot("gallery", "copy", place, tmp_path / "copy.gallery").status == 0
    assert lowshot("gallery", "remove", place, "--label", "dog").status == 0
    assert lowshot("identify", f"{milvus}/nothing", pictures / "cat" / "0.png").status == 2


@pytest.mark.slow
@on_server
def test_a_killed_server_has_what_it_acknowledged_and_no_half_of_a_call(tmp_path: Path) -> None:
    """Killed amid additions, three times, and started again on the same folder."""
    acknowledged: dict[str, int] = {}
    facts: dict[str, str] | None = _facts()
    for turn in range(4):
        with milvus_server(tmp_path, tick=20) as address, _patiently(f"milvus+{address}/kept", facts) as store:
            facts = None
            counts = store.classes()
            assert set(counts.values()) <= {50}, "half of a call"
            assert counts.items() >= acknowledged.items(), "lost"
            if turn < 3:
                threading.Timer(1.5, os.kill, (int((tmp_path / "pid").read_text()), signal.SIGKILL)).start()
            with suppress(GalleryError):
                for call in range(10_000 if turn < 3 else 3):
                    label = f"{turn} {call}"
                    store.add([_row(label, seed, f"picture {seed}".encode() * 50) for seed in range(50)])
                    acknowledged[label] = 50
    assert len(acknowledged) > 10


def _patiently(place: str, facts: dict[str, str] | None) -> closing[MilvusStore]:
    """The store on a server that was killed: it takes its time to find its parts again."""
    for _ in range(20):
        with suppress(GalleryError):
            return closing(MilvusStore(place, facts))
        time.sleep(3)
    return closing(MilvusStore(place, facts))
