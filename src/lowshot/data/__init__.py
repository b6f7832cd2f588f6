"""Labeled examples, where they come from, and the drawing of episodes, pairs, triplets and sequences. NumPy only."""

from lowshot.data.episodes import Episodes, EpisodeSampler
from lowshot.data.examples import Examples
from lowshot.data.forms import Form, Item, Modality, read_items
from lowshot.data.images import ImageForm, Picture, read_pictures
from lowshot.data.locate import cache_folder
from lowshot.data.sequences import Sequences, Spelling, draw_sequences
from lowshot.data.sounds import SoundForm
from lowshot.data.sources import datasets, find_files, load
from lowshot.data.texts import TextForm

__all__ = [
    "EpisodeSampler",
    "Episodes",
    "Examples",
    "Form",
    "ImageForm",
    "Item",
    "Modality",
    "Picture",
    "Sequences",
    "SoundForm",
    "Spelling",
    "TextForm",
    "cache_folder",
    "datasets",
    "draw_sequences",
    "find_files",
    "load",
    "read_items",
    "read_pictures",
]
