"""Recordings of every kind: decoded to the samples that are in them, or refused by name."""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lowshot.data import SoundForm
from lowshot.data.sounds import MAX_SECONDS, read_sounds, wav
from lowshot.errors import BadFiles, DataError

RATE = 8000
FORM = SoundForm(rate=RATE, seconds=1.0)  # 8000 samples


def tone(hertz: float = 440, rate: int = RATE, seconds: float = 0.5, loud: float = 0.5) -> NDArray[np.float64]:
    return loud * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def file_of(waves: NDArray[Any], kind: str = "WAV", subtype: str | None = None, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waves, rate, format=kind, subtype=subtype)
    return file.getvalue()


def reason(sound: Any, form: SoundForm = FORM) -> str:
    with pytest.raises(BadFiles) as caught:
        read_sounds([sound], form)
    ((name, why),) = caught.value.problems
    assert name in str(caught.value) and why in str(caught.value)
    return why


def heard(sound: Any, form: SoundForm = FORM) -> NDArray[np.float64]:
    """The samples of one recording, between -1 and 1."""
    (samples,) = read_sounds([sound], form)
    assert samples.dtype == np.int16 and samples.shape == form.shape
    return samples / 32768


def off(read: NDArray[np.float64], waves: NDArray[np.float64], edge: int = 300) -> float:
    """The largest difference, but at the ends, wherever near the middle the waves lie."""
    start = (len(read) - len(waves)) // 2
    near = (read[start + moved : start + moved + len(waves)] for moved in range(-40, 41))
    return min(float(np.abs(each - waves)[edge:-edge].max()) for each in near)


# --- decoded right ----------------------------------------------------------------------------------------------------


@given(arrays(np.int16, st.integers(1, 400)), st.sampled_from(["WAV", "WAVEX", "FLAC"]))
def test_sixteen_bits_come_back_as_they_are(samples: NDArray[np.int16], kind: str) -> None:
    form = SoundForm(rate=RATE, seconds=(2 * len(samples) + 1) / RATE)
    read = read_sounds([file_of(samples, kind, "PCM_16"), wav(samples, RATE), samples], form)
    assert (read == read[0]).all()
    assert (np.lib.stride_tricks.sliding_window_view(read[0], len(samples)) == samples).all(axis=1).any()


@pytest.mark.parametrize(
    ("kind", "subtype", "most"),
    [
        ("WAV", "PCM_U8", 1 / 127),
        ("WAV", "PCM_24", 1 / 30_000),
        ("WAV", "PCM_32", 1 / 30_000),
        ("WAV", "FLOAT", 1 / 30_000),
        ("WAV", "DOUBLE", 1 / 30_000),
        ("WAV", "ULAW", 0.02),
        ("WAVEX", "PCM_24", 1 / 30_000),
        ("FLAC", "PCM_24", 1 / 30_000),
        ("FLAC", "PCM_S8", 1 / 127),
        ("OGG", "VORBIS", 0.1),
        ("MP3", "MPEG_LAYER_III", 0.1),
    ],
)
def test_formats_and_depths(kind: str, subtype: str, most: float) -> None:
    assert off(heard(file_of(tone(), kind, subtype)), tone()) < most


def test_channels_are_averaged() -> None:
    left, right = tone(300), tone(500)
    assert off(heard(file_of(np.stack([left, right], axis=1))), (left + right) / 2, edge=1) < 1 / 10_000
    assert np.abs(heard(file_of(np.stack([left, -left] * 4, axis=1)))).max() < 1 / 10_000


@pytest.mark.parametrize("rate", [4000, 11_025, 16_000, 22_050, 44_100, 44_101, 48_000, 96_000, 192_000])
def test_rates_are_resampled(rate: int) -> None:
    read = heard(file_of(tone(440, rate), rate=rate))
    assert np.abs(np.fft.rfft(read)).argmax() == 440  # Hz, in a second
    assert off(read, tone(), edge=500) < 0.01


def test_what_the_rate_cannot_hold_is_filtered_not_folded() -> None:
    waves = tone(6000, 44_100) * np.hanning(22_050)  # what begins at once has all frequencies
    assert np.abs(heard(file_of(waves, rate=44_100))).max() < 0.01


def test_what_is_too_loud_is_clipped_not_wrapped() -> None:
    read = heard(file_of(tone(loud=3.0), subtype="FLOAT"))
    assert read.max() == 32767 / 32768 and read.min() == -1
    assert off(read, tone(loud=3.0).clip(-1, 1), edge=1) < 1 / 30_000


def test_a_path_its_text_and_its_bytes_agree(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(file_of(tone()))
    read = read_sounds([path, str(path), path.read_bytes()], FORM)
    assert (read == read[0]).all() and read.any()


# --- length -----------------------------------------------------------------------------------------------------------


def burst(loud: float = 0.5, seed: int = 0, seconds: float = 0.4) -> NDArray[np.int16]:
    """A noise that comes and goes, as a word does."""
    noise = np.random.default_rng(seed).normal(size=round(RATE * seconds))
    return np.asarray(loud * 8000 * noise * np.hanning(len(noise)), np.int16)


def silence(samples: int) -> NDArray[np.int16]:
    return np.zeros(samples, np.int16)


@given(st.integers(0, 30_000), st.integers(0, 30_000), st.integers(0, 100))
def test_what_is_heard_lies_in_the_middle_wherever_it_was(before: int, after: int, seed: int) -> None:
    recording = np.concatenate([silence(before), burst(seed=seed), silence(after)])
    read, alone = read_sounds([recording, burst(seed=seed)], FORM)
    assert (read == alone).all()
    energy = np.cumsum(read.astype(np.float64) ** 2)
    first, last = np.searchsorted(energy, energy[-1] * np.array([0.05, 0.95]))
    assert abs((first + last) / 2 - len(read) / 2) <= 1
    again = read_sounds([read, wav(read, RATE)], FORM)
    assert (again == read).all()


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_long_recording_the_loudest_stretch_is_taken(order: int) -> None:
    quiet, loud = burst(0.1, 1), burst(0.9, 2)
    recording = np.concatenate([quiet, silence(2 * RATE), loud][::order])
    (read, alone) = read_sounds([recording, loud], FORM)
    assert (read == alone).all()


@given(arrays(np.int16, st.integers(1, 80)))
def test_it_is_a_stretch_of_the_recording_and_the_silence_around_it(samples: NDArray[np.int16]) -> None:
    (read,) = read_sounds([samples], SoundForm(rate=RATE, seconds=5 / RATE))
    padded = np.concatenate([silence(5), samples, silence(5)])
    assert (np.lib.stride_tricks.sliding_window_view(padded, 5) == read).all(axis=1).any()
    assert read.any() == samples.any()


# --- refused ----------------------------------------------------------------------------------------------------------


def test_what_is_no_recording(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.wav") == "no such file"
    assert reason(tmp_path) == "it is a folder or a device"
    assert reason(b"") == "it is empty"
    for content in (b"hello", np.random.default_rng(0).bytes(5000), b"\x89PNG\r\n\x1a\n" + bytes(100)):
        assert "no whole sound" in reason(content)


@pytest.mark.parametrize("kind", ["AIFF", "CAF", "AU", "W64"])
def test_other_formats_are_named(kind: str) -> None:
    assert reason(file_of(tone(), kind)) == f"it is {kind}, not of a format read here (WAV, WAVEX, FLAC, OGG, MP3)"


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.8])
def test_a_recording_cut_short_is_refused(kind: str, share: float) -> None:
    whole = file_of(tone(seconds=2), kind)
    assert reason(whole[: int(share * len(whole))])


def test_a_damaged_recording_is_refused() -> None:
    whole = file_of(tone(seconds=2), "FLAC")
    middle = len(whole) // 2
    assert (
        reason(whole[:middle] + bytes(200) + whole[middle + 200 :]) == "it cannot be decoded (flac decoder lost sync)"
    )


@given(st.sampled_from(["WAV", "FLAC", "OGG"]), st.binary(min_size=1, max_size=8), st.floats(0, 0.99))
def test_whatever_is_in_a_file_it_is_read_or_refused(kind: str, junk: bytes, where: float) -> None:
    content = bytearray(file_of(tone(seconds=0.05), kind))
    start = int(where * len(content))
    content[start : start + len(junk)] = junk
    with contextlib.suppress(BadFiles):
        assert read_sounds([bytes(content)], FORM).shape == (1, *FORM.shape)


@pytest.mark.parametrize("claimed", [5000, 3_000_000_000])
def test_a_header_that_claims_more_than_there_is(claimed: int) -> None:
    whole = wav(np.ones(500, np.int16), RATE)
    told = whole[:4] + struct.pack("<I", claimed + 36) + whole[8:40] + struct.pack("<I", claimed) + whole[44:]
    assert reason(told) == "it is cut short: record or copy it again"


def test_a_recording_written_as_it_was_made_claims_no_length() -> None:
    """Programs that write to a pipe cannot go back to the header."""
    samples = np.full(500, 7, np.int16)
    whole = wav(samples, RATE)
    piped = whole[:4] + b"\xff" * 4 + whole[8:40] + b"\xff" * 4 + whole[44:]
    assert np.count_nonzero(read_sounds([piped], FORM)) == 500


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(value: float) -> None:
    waves = tone()
    waves[7] = value
    assert reason(file_of(waves, subtype="FLOAT")) == "some of its samples are no numbers"


def test_no_samples() -> None:
    assert reason(file_of(tone()[:0])) == "it has no samples"


def test_too_long_is_told_from_the_header() -> None:
    silence = np.zeros(round((MAX_SECONDS + 1) * 1000), np.int16)
    assert reason(file_of(silence, "FLAC", rate=1000)).startswith("it is longer than 600 seconds")


def test_rates_and_channels_out_of_reason() -> None:
    assert reason(file_of(tone(), rate=1_000_000)) == "its rate is 1,000,000 Hz, not from 1,000 to 192,000"
    assert reason(file_of(tone(), rate=10)) == "its rate is 10 Hz, not from 1,000 to 192,000"
    assert reason(file_of(np.zeros((10, 9)))) == "it has 9 channels, more than 8"


@pytest.mark.parametrize("array", [np.zeros(5), np.zeros((2, 5), np.int16), np.zeros(0, np.int16)])
def test_arrays_that_are_no_samples(array: NDArray[Any]) -> None:
    assert "give int16 (samples,)" in reason(array)


def test_all_bad_files_are_listed_by_their_names(tmp_path: Path) -> None:
    good = tmp_path / "good.wav"
    good.write_bytes(file_of(tone()))
    with pytest.raises(BadFiles, match="3 of 4 files") as caught:
        read_sounds([tmp_path / "none.wav", good, b"", np.zeros(3)], FORM)
    assert [name for name, _ in caught.value.problems] == [str(tmp_path / "none.wav"), "sound 2", "sound 3"]
    with pytest.raises(BadFiles, match="lost: it is empty"):
        read_sounds([b""], FORM, ["lost"])


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    assert read_sounds([np.ones(3, np.int16)], FORM).any(), "samples need no decoder"
    with pytest.raises(DataError, match=r"pip install 'lowshot\[sound\]'"):
        read_sounds([b"x"], FORM)
