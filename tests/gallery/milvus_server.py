"""A real Milvus server for tests and measurements: one process, on free ports, in a folder of its own.

    make milvus-server                            # downloads the server and runs it until Ctrl-C
    python tests/gallery/milvus_server.py [FOLDER]

It comes from the package ``milvus`` (2.3.5), unpacked into ``.milvus`` beside this checkout or into ``$LOWSHOT_MILVUS``. The
package's own starter is not used: it cannot give two servers ports of their own.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HOME = Path(os.environ.get("LOWSHOT_MILVUS", Path(__file__).parents[2] / ".milvus"))
PACKED = HOME / "milvus" / "data" / "bin"  # as the package has it
PARTS = ("etcd", "peer", "proxy", "internal", "root", "query", "node", "index", "data", "sink", "health")

SERVER = """
etcd:
  endpoints: localhost:{etcd}
  use: {{embed: true}}
  data: {{dir: {folder}/etcd}}
  config: {{path: {folder}/etcd.yaml}}
localStorage: {{path: {folder}/objects}}
common: {{storageType: local}}
mq: {{type: rocksmq}}
rocksmq: {{path: {folder}/queue}}
rootCoord: {{port: {root}}}
proxy: {{port: {proxy}, internalPort: {internal}, timeTickInterval: {tick}}}
queryCoord: {{port: {query}, checkInterval: 100, checkSegmentInterval: 100, checkChannelInterval: 100}}
queryNode: {{port: {node}}}
indexNode: {{port: {index}}}
dataCoord: {{port: {data}}}
dataNode: {{port: {sink}}}
log: {{level: error}}
quotaAndLimits: {{limits: {{maxCollectionNum: 1000, maxCollectionNumPerDB: 1000}}}}
"""
ETCD = """
name: one
data-dir: {folder}/etcd
listen-client-urls: http://127.0.0.1:{etcd}
advertise-client-urls: http://127.0.0.1:{etcd}
listen-peer-urls: http://127.0.0.1:{peer}
initial-advertise-peer-urls: http://127.0.0.1:{peer}
initial-cluster: one=http://127.0.0.1:{peer}
log-level: error
"""


class CannotStart(Exception):
    """Why there is no server."""


@contextmanager
def milvus_server(folder: Path, tick: int = 200, patience: float = 60) -> Iterator[str]:
    """Run a server on the data of a folder; its address, ``http://127.0.0.1:PORT``.

    Args:
        folder: an empty one, or one that a server has left behind.
        tick: milliseconds between the moments at which what was written can be read.
        patience: seconds to wait until it is healthy.

    Raises CannotStart, with the reason.
    """
    command = _unpacked()
    folder.mkdir(parents=True, exist_ok=True)
    ports = _ports(folder / "ports.json")
    for name, text in {"milvus.yaml": SERVER, "etcd.yaml": ETCD}.items():
        (folder / name).write_text(text.format(folder=folder, tick=tick, **ports))
    (folder / "glog.conf").write_text("--logtostderr=true\n--minloglevel=2\n")
    environment = {
        **os.environ,
        "DEPLOY_MODE": "STANDALONE",
        "MILVUSCONF": str(folder),
        "METRICS_PORT": str(ports["health"]),
        "LD_LIBRARY_PATH": str(command.parent),
    }
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [command, "run", "standalone"], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    (folder / "pid").write_text(str(server.pid))
    try:
        _wait(server, f"http://127.0.0.1:{ports['health']}/healthz", folder / "log", patience)
        yield f"http://127.0.0.1:{ports['proxy']}"
    finally:
        # Asked politely, 2.3.5 did not end within a minute. What it has acknowledged is in its log on the disk.
        server.kill()
        server.wait()


def _unpacked() -> Path:
    """The server's program."""
    unpacked = HOME / "server"  # pip makes a folder `bin` of its own
    if not unpacked.is_dir():
        if not PACKED.is_dir():
            raise CannotStart(f"no Milvus server in {HOME}: run `make .milvus`")
        HOME.mkdir(exist_ok=True)
        partly = Path(tempfile.mkdtemp(dir=HOME))
        for file in PACKED.glob("*.lzma"):
            with lzma.open(file) as source, (partly / file.stem).open("wb") as target:
                shutil.copyfileobj(source, target)
            (partly / file.stem).chmod(0o755)
        partly.rename(unpacked)
    return unpacked / "milvus"


def _ports(file: Path) -> dict[str, int]:
    """Free ports; of a server that ran before, its own: for a while its parts look for each other there."""
    if not file.exists():
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PARTS]
        file.write_text(json.dumps({part: each.getsockname()[1] for part, each in zip(PARTS, sockets, strict=True)}))
        for each in sockets:
            each.close()
    ports: dict[str, int] = json.loads(file.read_text())
    return ports


def _wait(server: subprocess.Popen[bytes], health: str, log: Path, patience: float) -> None:
    """Until it is healthy. Raises CannotStart where it ends, or is not healthy in time."""
    end = time.monotonic() + patience
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=1) as answer:
                if answer.read() == b"OK":
                    return
        except OSError:
            pass
        time.sleep(0.1)
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise CannotStart(f"the Milvus server did not start in {patience:.0f} s: {last or 'no word'}")


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as made,
        milvus_server(Path(sys.argv[1] if len(sys.argv) > 1 else made)) as place,
    ):
        print(f"a gallery may be at milvus+{place}/NAME; Ctrl-C ends the server", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
