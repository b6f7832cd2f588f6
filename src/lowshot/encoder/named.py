"""Encoders that have a name."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from pathlib import Path

from lowshot.data.locate import cache_folder
from lowshot.errors import EncoderError

_log = logging.getLogger("lowshot.encoder")
_SHIPPED = Path(__file__).parent / "files"
_MADE = {  # the programs that make them
    "photos": "lowshot.learn.photos",
    "speech": "lowshot.encoder.speech",
    "text": "lowshot.encoder.text",
    "voices": "lowshot.learn.voices",
}


def named_encoders() -> dict[str, str]:
    """Each name with one line on what it is."""
    return {
        "characters": "handwritten characters, trained by `lowshot train` on omniglot:background; comes with lowshot",
        "photos": "photographs: EfficientNet-Lite0 trained on ImageNet (Apache-2.0); made once, needs lowshot[photos]",
        "speech": "spoken words: Google's speech embedding (Apache-2.0; its package says CC BY-NC-SA 4.0); made once, needs "
        "lowshot[speech] and the models it names",
        "text": "English sentences: MiniLM trained on a billion pairs (Apache-2.0); made once, needs lowshot[text]",
        "voices": "who speaks: Resemblyzer's voice encoder (Apache-2.0); made once, needs lowshot[voices] and the "
        "weights it names",
    }


def find(name_or_file: str | Path) -> Path:
    """The file of a named encoder, or the file itself. Raises EncoderError where there is neither."""
    if name_or_file == "characters":
        return _SHIPPED / "characters.onnx"
    if name_or_file in _MADE:
        return _made(str(name_or_file))
    path = Path(name_or_file).expanduser()
    if not path.is_file():
        raise EncoderError(f"no encoder {str(name_or_file)!r}: give a file, or one of {', '.join(named_encoders())}")
    return path


def _made(name: str) -> Path:
    """Exported in a process of its own, so that torch or onnx never enters this one."""
    path = cache_folder() / "encoders" / f"{name}.onnx"
    if not path.exists():
        _check_writable(path.parent, name)
        _log.info("making the encoder %s, which is done once and takes up to a minute", name)
        made = subprocess.run([sys.executable, "-m", _MADE[name], str(path)], capture_output=True, text=True)
        if made.returncode:
            reason = made.stderr.strip().rsplit("\n", 1)[-1] or f"its process ended with {made.returncode}"
            raise EncoderError(f"the {name} encoder could not be exported: {reason}")
    return path


def _check_writable(folder: Path, name: str) -> None:
    """Before the work, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EncoderError(
            f"the {name} encoder cannot be kept in {folder} ({error.strerror}): set LOWSHOT_CACHE to a folder that can be "
            "written"
        ) from None
