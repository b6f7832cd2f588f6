"""Drawing sequences: the same few classes again and again, each item once, under labels that are new every time.

What a memory learns from (Santoro et al. 2016, section 2): the label of a class means nothing outside its sequence, so
it can only be remembered. Many sequences at once, as index arrays, from a seed.

Shape suffixes: S sequences, W ways, P presentations of each class, T = W·P times, L characters of a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowshot.data.episodes import EpisodeSampler
from lowshot.errors import ClassTooSmall, ConfigError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """Many sequences, as indices of items.

    Attributes:
        items: (sequences, times). Within a sequence no item comes twice.
        slots: (sequences, times), which of the sequence's classes an item is of: ``0 .. ways - 1``, dealt anew to the
            classes in every sequence. Each comes up equally often.
    """

    items: Ints
    slots: Ints

    def __len__(self) -> int:
        return len(self.items)

    @property
    def ways(self) -> int:
        """Classes of a sequence."""
        return int(self.slots.max()) + 1

    @property
    def times(self) -> Ints:
        """When each class is presented, (sequences, ways, presentations), ascending."""
        ordered: Ints = np.argsort(self.slots, axis=1, kind="stable")
        return ordered.reshape(len(self), self.ways, -1)


def draw_sequences(
    sampler: EpisodeSampler, sequences: int, ways: int, presentations: int, *, seed: int | Sequence[int] = 0
) -> Sequences:
    """Draw sequences: ``ways`` classes, ``presentations`` different items of each, all in random order.

    Raises:
        ClassTooSmall: a class has fewer items than presentations; names the class and the counts.
        ConfigError: fewer classes than ways, or a number below one.

    Example:
        >>> drawn = draw_sequences(EpisodeSampler(np.repeat([0, 1, 2], 10)), 4, ways=2, presentations=10)
        >>> drawn.items.shape, drawn.times.shape
        ((4, 20), (4, 2, 10))
    """
    if sequences < 1 or presentations < 1:
        raise ConfigError(f"sequences and presentations must be at least 1, not {sequences} and {presentations}")
    smallest = int(sampler.counts_C.argmin())
    if sampler.counts_C[smallest] < presentations:
        raise ClassTooSmall(
            f"class {sampler.names[smallest]!r} has {sampler.counts_C[smallest]} examples but is to be presented "
            f"{presentations} times: ask for fewer presentations, or leave small classes out"
        )
    items_SWP = sampler.draw(sequences, ways, presentations, 0, seed=seed).support
    # The classes come in random order, so their places are slots already. A generator of its own: the shuffle must not
    # repeat the numbers that chose the items.
    [rng] = np.random.default_rng(seed).spawn(1)
    order_ST = np.argsort(rng.random((sequences, ways * presentations)), axis=1)
    items_ST = np.take_along_axis(items_SWP.reshape(sequences, -1), order_ST, axis=1)
    return Sequences(items_ST, order_ST // presentations)


@dataclass(frozen=True)
class Spelling:
    """How a class is called within a sequence: by a word of ``length`` characters, each one of ``letters``.

    One letter a class and words of one character are the usual one-hot labels; five characters of five letters are the
    string labels of Santoro et al. (2016), section 4.1.
    """

    letters: int
    length: int = 1

    @property
    def words(self) -> int:
        """How many there are."""
        return int(self.letters**self.length)

    def draw(self, sequences: int, ways: int, *, seed: int | Sequence[int] = 0) -> Ints:
        """A different word for each class of each sequence, at random: (sequences, ways, length), letters from 0 on.

        Raises ConfigError where there are fewer words than classes.

        Example:
            >>> Spelling(letters=5, length=5).draw(16, ways=15).shape
            (16, 15, 5)
        """
        if ways > self.words:
            raise ConfigError(f"{ways} classes cannot be told apart by {self.words} labels: ask for fewer ways")
        words_SW = EpisodeSampler(np.arange(self.words)).draw(sequences, ways, 1, 0, seed=seed).support[..., 0]
        characters: Ints = words_SW[..., None] // self.letters ** np.arange(self.length)[::-1] % self.letters
        return characters
