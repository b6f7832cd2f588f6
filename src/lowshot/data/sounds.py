"""From a recording in any file to samples of the form an encoder expects.

Recordings come from anywhere, so nothing in a file is trusted: only the formats of :data:`FORMATS` are opened, the length is
judged by the header before a sample is decoded, and whatever a decoder trips over becomes a line of one
:class:`~lowshot.errors.BadFiles`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
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
MAX_RATE = 192_000  # Hz

Samples = NDArray[np.int16]
Sound = str | Path | Readable | bytes | NDArray[Any]  # a file, its bytes, or samples already decoded


class SoundForm(BaseModel):
    """The samples an encoder expects: ``int16`` arrays of (samples,), one channel.

    A recording that is shorter lies in the middle, with silence on both sides; of a longer one, the loudest stretch is
    taken.

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
    try:
        sound = soundfile.SoundFile(io.BytesIO(file))
    except Exception:  # libsndfile says as little of what it does not know as of what is damaged
        raise DataError(f"it is no whole sound of a format read here ({', '.join(FORMATS)})") from None
    if sound.format not in FORMATS:
        raise DataError(f"it is {sound.format}, not of a format read here ({', '.join(FORMATS)})")
    if sound.channels > MAX_CHANNELS or not 0 < sound.samplerate <= MAX_RATE:
        raise DataError(
            f"it has {sound.channels} channels at {sound.samplerate:,} Hz, more than {MAX_CHANNELS} at {MAX_RATE:,}"
        )
    if sound.frames > MAX_SECONDS * sound.samplerate:
        raise DataError(f"it is longer than {MAX_SECONDS:g} seconds: cut out what is meant")
    return sound


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
            waves = opened.read(dtype="float32", always_2d=True).mean(axis=1)
        except Exception as error:  # see open_sound
            raise DataError(f"it cannot be decoded ({error})") from None
        rate = opened.samplerate
    if not waves.size:
        raise DataError("it has no samples")
    if not np.isfinite(waves).all():
        raise DataError("some of its samples are no numbers")
    return _int16(waves if rate == form.rate else _resampled(waves, rate, form.rate))


def _resampled(waves: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly  # takes a while to import

    common = gcd(rate, wanted)
    resampled: NDArray[np.float32] = resample_poly(waves, wanted // common, rate // common)
    return resampled


def _int16(waves: NDArray[np.float32]) -> Samples:
    """Samples between -1 and 1 as whole numbers; what is louder is clipped."""
    return np.rint(32767 * np.clip(waves, -1, 1)).astype(np.int16)


def _fitted(samples: Samples, form: SoundForm) -> Samples:
    (wanted,) = form.shape
    spare = wanted - len(samples)
    if spare >= 0:
        return np.pad(samples, (spare // 2, spare - spare // 2))
    energy = np.cumsum(np.concatenate([[0.0], samples.astype(np.float64) ** 2]))
    start = int(np.argmax(energy[wanted:] - energy[:-wanted]))
    return samples[start : start + wanted]
