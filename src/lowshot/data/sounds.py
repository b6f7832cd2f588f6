"""From a recording in any file to samples of the form an encoder expects.

Recordings come from anywhere, so nothing in a file is trusted: only the formats of :data:`FORMATS` are opened, the length is
judged by the header before a sample is decoded, and whatever a decoder trips over becomes a line of one
:class:`~lowshot.errors.BadFiles`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lowshot.data.raw import Readable, file_bytes, read_each
from lowshot.errors import DataError

if TYPE_CHECKING:
    from soundfile import SoundFile

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3")
MAX_SECONDS = 600.0  # a word, a call, a song: longer ones are recordings to be cut first
MAX_CHANNELS = 8
MIN_RATE, MAX_RATE = 1_000, 192_000  # Hz

_EDGE = 0.05  # share of the energy before what is heard, and after it; chosen on two speakers of fsdd, cut out and not
_ROUNDS = 16
_BLOCK = 1 << 16  # frames decoded at once: all channels of a long recording would fill gigabytes
_SLACK = 1152  # frames that may be missing: what the header of an MP3 says may be off by one of its parts

Samples = NDArray[np.int16]
Sound = str | Path | Readable | bytes | NDArray[Any]  # a file, its bytes, or samples already decoded


class SoundForm(BaseModel):
    """The samples an encoder expects: ``int16`` arrays of (samples,), one channel.

    What is heard lies in their middle, wherever in the recording it was, with silence where the recording has no more: an
    encoder then hears a word that was cut out, and one with silence before it, alike. Of a longer recording the loudest
    stretch is taken.

    Attributes:
        rate: samples a second.
        seconds: how long.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: ClassVar[Literal["sound"]] = "sound"

    rate: int = Field(default=16_000, ge=4_000, le=48_000)
    seconds: float = Field(default=1.0, gt=0, le=60)

    @property
    def shape(self) -> tuple[int]:
        """(samples,)."""
        return (round(self.rate * self.seconds),)


def read_sounds(sounds: Sequence[Sound], form: SoundForm, names: Sequence[str] | None = None) -> Samples:
    """Decode recordings and bring them to one form.

    Args:
        sounds: paths, objects with ``read_bytes()``, bytes of files, or ``int16`` samples (samples,) at the form's rate.
        form: the samples wanted.
        names: what to call each in an error; None for its path or ``sound 0``, ``sound 1``, …

    Returns:
        (n, samples). Channels are averaged, and other rates resampled (polyphase filter of SciPy).

    Raises:
        BadFiles: lists, once, every recording that is missing, empty, damaged, too long, or not of one of :data:`FORMATS`.
        DataError: files are to be read, and the package soundfile is not installed.

    Example:
        >>> import numpy as np
        >>> from lowshot.data.sounds import SoundForm, read_sounds
        >>> read_sounds([np.array([1, 2], np.int16)], SoundForm(rate=4000, seconds=0.001)).tolist()
        [[0, 1, 2, 0]]
    """
    if not all(isinstance(sound, np.ndarray) for sound in sounds):
        _check_installed()
    samples = np.empty((len(sounds), *form.shape), np.int16)
    shown = [shown_sound(sound, i) for i, sound in enumerate(sounds)] if names is None else names
    read_each(sounds, lambda sound: _fitted(_read(sound, form), form), samples, shown)
    return samples


def shown_sound(sound: Sound, position: int) -> str:
    """What to call a recording in an error."""
    return str(sound) if isinstance(sound, str | Path) else f"sound {position}"


def wav(samples: Samples, rate: int) -> bytes:
    """The bytes of a WAV file of ``int16`` samples (samples,)."""
    import wave

    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def open_sound(file: bytes) -> SoundFile:
    """The recording with its header read and checked, no sample decoded yet. Raises DataError with the reason only."""
    import soundfile

    if not file:
        raise DataError("it is empty")
    if _is_cut_short(file):
        raise DataError("it is cut short: record or copy it again")
    try:
        sound = soundfile.SoundFile(io.BytesIO(file))
    except Exception:  # libsndfile says as little of what it does not know as of what is damaged
        raise DataError(f"it is no whole sound of a format read here ({', '.join(FORMATS)})") from None
    if sound.format not in FORMATS:
        raise DataError(f"it is {sound.format}, not of a format read here ({', '.join(FORMATS)})")
    if sound.channels > MAX_CHANNELS:
        raise DataError(f"it has {sound.channels} channels, more than {MAX_CHANNELS}")
    if not MIN_RATE <= sound.samplerate <= MAX_RATE:
        raise DataError(f"its rate is {sound.samplerate:,} Hz, not from {MIN_RATE:,} to {MAX_RATE:,}")
    if sound.frames > MAX_SECONDS * sound.samplerate:
        raise DataError(f"it is longer than {MAX_SECONDS:g} seconds: cut out what is meant")
    return sound


def _is_cut_short(file: bytes) -> bool:
    """Of a WAV file, whose decoder plays what is left of it: whether its header names more bytes than there are."""
    named = 8 + int.from_bytes(file[4:8], "little")
    streamed = named > 0xFFFFFF00  # written before it was known how long it would be
    return file[:4] == b"RIFF" and not streamed and len(file) + 1 < named  # the last byte may be a filler


def _check_installed() -> None:
    try:
        import soundfile  # noqa: F401  # whether it can be imported is the question
    except (ImportError, OSError) as error:  # OSError: the package without its C library
        raise DataError(f"sounds are read by the package soundfile ({error}): pip install 'lowshot[sound]'") from None


def _read(sound: Sound, form: SoundForm) -> Samples:
    """One recording at the form's rate, of its own length. Raises DataError with the reason only."""
    if isinstance(sound, np.ndarray):
        if sound.dtype != np.int16 or sound.ndim != 1 or not sound.size:
            raise DataError(f"it is an array of {sound.dtype} {sound.shape}: give int16 (samples,)")
        return sound
    with open_sound(sound if isinstance(sound, bytes) else file_bytes(sound)) as opened:
        try:
            waves = np.concatenate(list(_blocks(opened)))
        except Exception as error:  # see open_sound
            raise DataError(f"it cannot be decoded ({str(error).removeprefix('Error : ').rstrip('.')})") from None
        rate, claimed = opened.samplerate, opened.frames
    if not waves.size:
        raise DataError("it has no samples")
    if len(waves) < claimed - _SLACK:
        raise DataError("it is cut short: record or copy it again")
    if not np.isfinite(waves).all():
        raise DataError("some of its samples are no numbers")
    return _int16(waves if rate == form.rate else _resampled(waves, rate, form.rate))


def _blocks(opened: SoundFile) -> Iterator[NDArray[np.float32]]:
    """The mean of the channels, block by block; the last block has nothing in it."""
    while True:
        block = opened.read(_BLOCK, dtype="float32", always_2d=True)
        yield block.mean(axis=1)
        if not len(block):
            return


def _resampled(waves: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly  # takes a while to import

    common = gcd(rate, wanted)
    resampled: NDArray[np.float32] = resample_poly(waves, wanted // common, rate // common)
    return resampled


def _int16(waves: NDArray[np.float32]) -> Samples:
    """Samples between -1 and 1 as whole numbers, those of a file of 16 bits as they are; what is louder is clipped."""
    return np.clip(np.rint(32768 * waves), -32768, 32767).astype(np.int16)


def _fitted(samples: Samples, form: SoundForm) -> Samples:
    """The loudest stretch, moved until what is heard in it lies in its middle: what is fitted already stays as it is."""
    (wanted,) = form.shape
    padded = np.pad(samples, wanted)
    energy = np.cumsum(np.concatenate([[0.0], padded.astype(np.float64) ** 2]))  # whole numbers, so without rounding
    if not energy[-1]:
        return np.zeros(wanted, np.int16)
    start = int(np.argmax(energy[wanted:] - energy[:-wanted]))
    for _ in range(_ROUNDS):
        heard = energy[start : start + wanted + 1] - energy[start]
        first, last = np.searchsorted(heard, heard[-1] * np.array([_EDGE, 1 - _EDGE]))
        moved = int(first + last) // 2 - wanted // 2
        if not moved:
            break
        start += moved
    return padded[start : start + wanted]
