"""The gallery: enroll items under labels, identify others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from lowshot.data.examples import Examples
from lowshot.data.files import FileSet
from lowshot.data.forms import NOUNS, Item, Packed, check_several, name_of, shown_item
from lowshot.encoder import Card, Encoder, Features, named_encoders
from lowshot.errors import BadDescriptions, ConfigError, DataError, EncoderError, GalleryError, NotEnrolled
from lowshot.gallery.descriptions import Description, check_attribute_names, check_descriptions, content, in_words
from lowshot.gallery.enrollable import check_attributes, check_labels, check_lengths, check_names, several, storable
from lowshot.gallery.index import Held, Ints, check_top, empty
from lowshot.gallery.originals import KEEPS, NONE, Keeping, contents, read_once
from lowshot.gallery.records import DESCRIBED, Answer, Record
from lowshot.gallery.store import Row, Store, is_address, is_there, open_store, open_whole

if TYPE_CHECKING:
    from lowshot.gallery.answerer import Answerer
    from lowshot.gallery.bulk import Enrolled
    from lowshot.gallery.learned import Learned
    from lowshot.recognize.gate import AttributeGate, GateReport


class Gallery:
    """Enrolled examples in one SQLite file, with the encoder that understands them.

    Open one with :meth:`open`, close it with :meth:`close` or a ``with`` block. It may be used from several threads,
    and its file from several processes: what one enrolls, all find with their next query.

    Attributes:
        place: its address: the path of its file.
        card, fingerprint: of its encoder, see :class:`lowshot.encoder.Encoder`.

    Example:
        >>> import tempfile, numpy as np
        >>> from lowshot import Gallery
        >>> empty, full = np.full((28, 28), 255, np.uint8), np.zeros((28, 28), np.uint8)
        >>> with tempfile.TemporaryDirectory() as folder, Gallery.open(f"{folder}/my.gallery", create=True) as gallery:
        ...     ids = gallery.enroll([empty, full], ["paper", "ink"])
        ...     gallery.identify([full])[0].candidates[0].label
        'ink'
    """

    def __init__(self, store: Store, facts: Mapping[str, str], encoder: Encoder | None) -> None:
        self.place = store.place
        try:
            self.card = Card.model_validate_json(facts["card"])
            self.fingerprint, self._source = facts["fingerprint"], facts["source"]
            self._keeping = Keeping.by(facts)
        except (KeyError, ValidationError):
            raise GalleryError(
                f"{self.place} is damaged (its encoder's card cannot be read): restore it from a copy"
            ) from None
        self._store = store
        self._given = encoder

    @classmethod
    def open(
        cls,
        place: str | Path,
        encoder: Encoder | str | Path | None = None,
        create: bool = False,
        float16: bool = False,
        images: bool = True,
    ) -> Self:
        """Open a gallery.

        Args:
            place: its file, or the address of a Milvus collection, see :func:`lowshot.gallery.store.open_store`.
            encoder: an encoder, its name or its file; None for the one the gallery was created with, and for a new
                gallery ``characters``. Where that file is gone, a gallery remembers the one given in its place.
            create: make the gallery where there is none; it is there from the first enrollment on.
            float16: a new gallery keeps features in half the space, at about three digits.
            images: whether a new gallery keeps the items themselves. Without, it keeps features only, for privacy, for
                all that is ever enrolled: it can neither show items nor be migrated to another encoder.

        Raises:
            GalleryError: there is no such gallery, the file is something else or damaged, the gallery belongs to another
                encoder, or it keeps items though asked not to.
            EncoderError: the encoder given cannot be loaded.
        """
        place = str(place)
        if create and not is_there(place):
            source = "characters" if encoder is None else encoder
            encoder = source if isinstance(source, Encoder) else Encoder.load(source)
            if float16 and is_address(place):
                raise GalleryError(f"{place} keeps features of float32, as Milvus does: leave out float16 (--float16)")
            facts = new_facts(encoder, source, float16, images)
            return cls(open_store(place, facts), facts, encoder)
        store = open_whole(place)
        try:
            gallery = cls(store, store.facts(), None)
            if float16 and store.facts().get("precision") != "float16":
                raise GalleryError(f"{place} keeps features of float32: only a new gallery can do with float16")
            if gallery._keeping.items and not images:
                raise GalleryError(f"{place} keeps items: only a new gallery can do without (--no-images)")
            if encoder is not None:
                gallery._take(encoder)
        except BaseException:
            store.close()
            raise
        return gallery

    @cached_property
    def encoder(self) -> Encoder:
        """Turns items into the features that are compared; loaded when first needed.

        It is looked for where it was, then beside the gallery. Raises EncoderError where it is in neither place.
        """
        if self._given is not None:
            return self._given
        if not self._source:
            raise GalleryError(
                f"{self.place} was made with the encoder object {self.card.name!r}: give it, or its file, as encoder "
                "(--encoder FILE)"
            )
        found = self._remembered()
        if found is None:
            raise EncoderError(
                f"the encoder {self.card.name!r} of {self.place} is neither {self._source} nor beside the gallery: give "
                "its file as encoder (--encoder FILE)"
            )
        return self._agreed(Encoder.load(found))

    def _remembered(self) -> str | Path | None:
        """Name or file of the encoder; None where it is not there any more, or was an object."""
        if self._source in named_encoders():
            return self._source
        places = (Path(self._source), Path(self.place).parent / Path(self._source).name) if self._source else ()
        return next((place for place in places if place.is_file()), None)

    def _take(self, encoder: Encoder | str | Path) -> None:
        """Use this encoder, and remember its file where the one remembered is gone."""
        self._given = self._agreed(encoder if isinstance(encoder, Encoder) else Encoder.load(encoder))
        if self._remembered() is None and (source := _source(encoder)):
            with suppress(GalleryError):  # a gallery that is read-only can be asked all the same
                self._store.change({"source": source})

    def _agreed(self, encoder: Encoder) -> Encoder:
        """The encoder, if it is the gallery's."""
        if encoder.fingerprint != self.fingerprint:
            raise GalleryError(
                f"{self.place} belongs to the encoder {self.card.name!r} ({self.fingerprint[:12]}), not to "
                f"{encoder.card.name!r} ({encoder.fingerprint[:12]}): features of two encoders cannot be compared; give "
                "its own as encoder (--encoder FILE)"
            )
        return encoder

    def close(self) -> None:
        """Close the file. Closing twice is fine."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many examples are enrolled."""
        return len(self._store)

    def __repr__(self) -> str:
        return f"Gallery({str(self.place)!r}, encoder {self.card.name!r})"

    def enroll(
        self,
        items: Sequence[Item],
        labels: Sequence[str],
        names: Sequence[str] | None = None,
        attributes: Sequence[Mapping[str, str]] | None = None,
    ) -> list[int]:
        """Enroll items: all of them or none. They are on the disk when this returns.

        An item that is enrolled under its label already is not enrolled once more, so that doing the same again
        changes nothing. It is the same where its file, or its pixels where it is none, is: byte by byte.

        Args:
            items: files, their bytes, Pillow images or arrays, or texts, see :func:`lowshot.data.read_items`. The item
                itself is kept beside its features, without loss: a file as it is, though BMP, PPM and TIFF of 8 bits as PNG
                where that is smaller; anything else as PNG.
            labels: the class of each, up to 200 characters, without control characters or spaces at its ends. A class
                needs no announcement.
            names: where each came from; None for the file names.
            attributes: further facts on each, text by text.

        Returns:
            The id of each item, in the same order; of one that was enrolled before, the one it has.

        Raises:
            BadFiles: lists every item that cannot be read.
            ShapeError: not as many labels, names or attributes as items.
            BadLabels: labels that cannot be one.
            GalleryError: a name or an attribute that cannot be one, or the gallery's file cannot be written.
        """
        check_several(items, self.card.form)
        check_lengths(items, labels=several(labels), names=names, attributes=attributes)
        check_names(names or [])
        check_attributes(attributes or [])
        form = self.card.form
        names = [name_of(item, form) for item in items] if names is None else names
        shown = [name or shown_item(item, i, form) for i, (item, name) in enumerate(zip(items, names, strict=True))]
        check_labels(labels, shown)
        items = read_once(items, form)
        packed = self.encoder.read(items, shown)
        return self._add(packed, labels, names, attributes or [{}] * len(items), contents(items, form))

    def enroll_examples(self, examples: Examples) -> list[int]:
        """:meth:`enroll` packed examples, such as :func:`lowshot.data.load` gives; their class names become labels."""
        labels = [examples.classes[label] for label in examples.labels]
        return self.enroll(list(examples.items), labels, examples.names, _one_each(examples.attributes))

    def enroll_files(self, files: FileSet) -> list[int]:
        """:meth:`enroll` the items of a folder, zip or table as they are; see :class:`lowshot.data.files.FileSet`."""
        self._check_modality(files)
        return self.enroll(files.items, files.labels, files.names, _one_each(files.attributes))

    def enroll_bulk(
        self, files: FileSet, workers: int | None = None, report: Callable[[int, int], None] | None = None
    ) -> Enrolled:
        """Enroll very many files: not all or none, but batch by batch, and all of them but the bad ones.

        Whatever stops it, what was enrolled stays, and the same call goes on from there. Memory does not grow with the
        size of the items.

        Args:
            files: of a folder, zip or table; see :class:`lowshot.data.files.FileSet`.
            workers: processes that decode, 0 for none but this one; None for one a core. A script that starts processes must
                do so below ``if __name__ == "__main__":``.
            report: told, after each batch, how many files are done, and of how many.

        Returns:
            How many are new, how many were there already, and the files that cannot be read, each with the reason.

        Raises:
            GalleryError: labels that cannot be one (nothing is enrolled then), or the gallery cannot be written.
        """
        from lowshot.gallery import bulk  # its processes are only for this

        if workers is not None and workers < 0:
            raise ConfigError(f"workers must be 0 or more, not {workers}")
        self._check_modality(files)
        check_labels(files.labels, files.names)
        check_attribute_names(files.attributes)
        return bulk.enroll(self._store, self.encoder, self._keeping, files, workers, report)

    def _check_modality(self, files: FileSet) -> None:
        if files.modality != self.card.modality:
            raise GalleryError(
                f"{files.names[0]} and the others are {NOUNS[files.modality]}s, and the encoder {self.card.name!r} takes "
                f"{NOUNS[self.card.modality]}s: choose another encoder (--encoder NAME) for a new gallery"
            )

    def describe(self, descriptions: Mapping[str, Description], background: Examples | None = None) -> list[int]:
        """Enroll classes by what is said of them, all or none, before there is an example; or beside their examples.

        A description stands in the gallery as an example whose attribute ``described`` says what was said, and counts as
        much: enroll examples of the class, and it is compared with the mean of both. It is removed as an example is.

        Args:
            descriptions: of each label, words (where the encoder is one of texts), or values of attributes.
            background: examples that state such attributes, in the form of the encoder's card, to learn from what the values
                look like; None to learn it from the examples enrolled so far, as they are now.

        Returns:
            The id of each description, in the same order.

        Raises:
            BadDescriptions: one that says nothing, or nothing that any example says; words for an encoder that reads none.
            BadLabels: labels that cannot be one.
            EmptyGallery: there is nothing to learn from.
        """
        check_descriptions(descriptions, self.card.modality == "text")
        check_labels(list(descriptions), list(descriptions))
        words = {label: said for label, said in descriptions.items() if isinstance(said, str)}
        values = {label: said for label, said in descriptions.items() if not isinstance(said, str)}
        features: dict[str, Features] = {}
        if words:
            features |= zip(
                words, self.encoder.embed_support(self.encoder.read(list(words.values()), list(words))), strict=True
            )
        if values:
            features |= zip(values, self._expected(list(values.values()), background), strict=True)
        return self._store.add([self._described(label, said, features[label]) for label, said in descriptions.items()])

    def _expected(self, descriptions: Sequence[Mapping[str, str]], background: Examples | None) -> Features:
        """The features that classes of such attributes would have."""
        from lowshot.recognize.exemplars import PredictedExemplars  # brings scikit-learn

        names = sorted({name for each in descriptions for name in each})
        if background is None:
            features, columns = self._answerer.stating(names)
        else:
            columns = {name: background.values(name) for name in names}
            features = self.encoder.embed(background.items)
        if strange := [name for name in names if name not in columns]:
            raise BadDescriptions(
                f"no enrolled example has an attribute {strange[0]!r}: correct its name, or enroll some"
            )
        stated = _one_each(columns) or [{}] * len(features)
        try:
            return PredictedExemplars().fit(features, stated).predict(descriptions)
        except DataError as error:
            raise BadDescriptions(str(error)) from None

    def _described(self, label: str, said: Description, feature: Features) -> Row:
        original = said.encode() if isinstance(said, str) and self.keeps_items else None
        facts = {} if isinstance(said, str) else dict(said)
        return Row(
            label, "", {**facts, DESCRIBED: in_words(said)}, feature, original, self._keeping.digest(content(said))
        )

    def remove(self, ids: Sequence[int]) -> int:
        """Remove examples, all or none; how many there were. A class without any is gone.

        Raises NotEnrolled where an id is not there.
        """
        return self._store.remove(ids)

    def remove_class(self, label: str) -> int:
        """Remove a class; how many examples it had. Raises NotEnrolled where there is no such class."""
        return self._store.remove_class(label)

    def rename_class(self, label: str, to: str) -> int:
        """Give a class another label, which may be that of a class it joins; how many examples it had.

        Raises NotEnrolled where there is no such class, BadLabels where the new label cannot be one.
        """
        check_labels([to], [label])
        return self._store.rename_class(label, to)

    def classes(self) -> dict[str, int]:
        """Each class and how many examples it has, in order of the labels."""
        return self._store.classes()

    def examples(self, label: str | None = None) -> list[Record]:
        """What is enrolled, of one class or in all, oldest first. Raises NotEnrolled where there is no such class."""
        return self._store.records(label)

    def example(self, id: int) -> Record:
        """One enrolled example. Raises NotEnrolled where it is not there."""
        if found := self._store.some([id]):
            return found[id]
        raise NotEnrolled(f"{self.place} has no example {id}")

    def oldest(self) -> dict[str, int]:
        """The id of the oldest example of each class: the one to show for it."""
        return self._store.oldest()

    def version(self) -> Hashable:
        """Differs from before when this or any other process has changed something; quick."""
        return self._store.version()

    @property
    def keeps_items(self) -> bool:
        """Whether :meth:`original` has the items; False where the gallery was made to keep features only."""
        return self._keeping.items

    def original(self, id: int) -> bytes:
        """The item an example was enrolled from, as the bytes of a file; of a description, what it says.

        Raises NotEnrolled where there is none.
        """
        item = self._store.original(id)
        if item is None and (said := self.example(id).described) is not None:
            return said.encode()
        if item is None:
            why = "" if self._keeping.items else ": it was made to keep features only (--no-images)"
            raise NotEnrolled(f"{self.place} keeps no item of example {id}{why}")
        return item

    def identify(
        self,
        items: Sequence[Item],
        top: int = 5,
        where: Mapping[str, str | Sequence[str]] | None = None,
        gate: Sequence[str] = (),
        gate_recall: float = 0.99,
    ) -> list[Answer]:
        """Say what each item shows, or that it shows nothing enrolled.

        Args:
            items: as in :meth:`enroll`.
            top: how many candidates an answer lists.
            where: compare only with examples that have this value, or one of these, of each attribute.
            gate: attributes of which likely values are predicted first, by a classic classifier; an item is then compared
                only with classes of which an example has such a value, or does not say. See :meth:`train_gate`.
            gate_recall: how often the true values must be among the likely ones, of all gates together.

        Returns:
            One :class:`Answer` an item. A query is unknown where that is more likely than not, see
            :mod:`lowshot.recognize.unknown` for how the gallery learns when it is.

        Raises:
            BadFiles: lists every item that cannot be read.
            EmptyGallery: nothing is enrolled.
            NoMatch: nothing with such attributes is.
            GalleryError: the gallery cannot be read.
        """
        check_top(top)
        check_several(items, self.card.form)
        if self._store.is_empty():  # known before the encoder is loaded
            raise empty(self.place)
        return self.identify_features(self._embedded(items), top, where, gate, gate_recall)

    def identify_features(
        self,
        features: Features,
        top: int = 5,
        where: Mapping[str, str | Sequence[str]] | None = None,
        gate: Sequence[str] = (),
        gate_recall: float = 0.99,
    ) -> list[Answer]:
        """:meth:`identify` what the gallery's encoder gave for some items, ``float32`` (n, features)."""
        return self._answerer.identify(features, top, where or {}, gate, gate_recall)

    def calibrate(
        self,
        items: Sequence[Item] = (),
        labels: Sequence[str | None] = (),
        recognizer: str = "auto",
    ) -> Learned:
        """Learn anew how to compare and how sure to be, and keep it for every process.

        Without being asked, a gallery learns from its own examples and from what its encoder carries of other classes, and
        again whenever it has grown by a tenth. Queries of the real world, labeled by a user, tell more; what was learned
        from them is kept until the next call.

        Args:
            items: queries, as in :meth:`enroll`; none to learn from the examples alone.
            labels: what each shows; None where that is of no enrolled class.
            recognizer: one of :data:`lowshot.recognize.choice.NAMES`, which is kept to; or ``auto`` to have one chosen by
                leaving examples out, wherever classes have several.

        Returns what was learned, see :mod:`lowshot.recognize.unknown`.

        Raises:
            BadFiles: lists every item that cannot be read.
            ShapeError: not as many labels as items.
            ConfigError: there is no such recognizer.
            GalleryError: nothing is enrolled, a label is not, or the gallery cannot be written.
        """
        check_several(items, self.card.form)
        check_lengths(items, labels=several(labels))
        if missing := {label for label in labels if label is not None} - self.classes().keys():
            raise GalleryError(
                f"{self.place} has no class {min(missing)!r}: give None as the label of what is of no enrolled class"
            )
        queries = (self._embedded(items), list(labels)) if len(items) else None
        return self._answerer.calibrate(recognizer, queries)

    def train_gate(self, attribute: str, background: Examples | None = None) -> AttributeGate:
        """Train the classifier that predicts an attribute of an item, and keep it for every process.

        A gate that was never trained is trained on the gallery when it is first used. Train it again when many examples
        have come, or on a labeled background set, where that is larger. The recall asked of it holds for queries that are
        like the examples it learned from; of a background whose classes are not the gallery's, for queries of other classes.

        Args:
            attribute: its name.
            background: examples that state it, in the form of the encoder's card; None for the enrolled ones.

        Raises:
            GalleryError: nothing is enrolled, or no example states the attribute.
            DataError: the background has no such attribute, or too few examples share a value.
        """
        if background is None:
            return self._answerer.train_gate(attribute, None)
        values = background.values(attribute)
        features = self.encoder.embed(background.items)
        return self._answerer.train_gate(attribute, (features, values.tolist(), self._held_out(background, values)))

    def _held_out(self, background: Examples, values: NDArray[np.str_]) -> Ints:
        """What a gate's training holds out together: whole classes, if they are others and there are several of a value."""
        pairs = np.unique(np.stack([values, background.labels.astype(str)]), axis=1)
        several = np.unique(pairs[0], return_counts=True)[1].min(initial=2) > 1
        others = not self.classes().keys() & set(background.classes)
        return background.labels if several and others else np.arange(len(background))

    @property
    def recognizer(self) -> str:
        """How queries are compared, see :mod:`lowshot.recognize.choice`. Raises GalleryError where nothing is enrolled."""
        return self._answerer.recognizer

    def gate_reports(self, recall: float = 0.99) -> dict[str, GateReport]:
        """What a gate trained on the gallery would be worth, for each attribute that enough examples share."""
        return self._answerer.gate_reports(recall)

    def held(self) -> Held:
        """Every enrolled example's id, label and feature, in order of the ids."""
        return self._answerer.held()

    @cached_property
    def _answerer(self) -> Answerer:
        from lowshot.gallery.answerer import Answerer  # brings scikit-learn, which enrolling does without

        return Answerer(self._store, self.card, self.fingerprint, lambda: self.encoder.background())

    def _embedded(self, items: Sequence[Item]) -> Features:
        return self.encoder.embed(self.encoder.read(items))

    def _add(
        self,
        items: Packed,
        labels: Sequence[str],
        names: Sequence[str],
        attributes: Sequence[Mapping[str, str]],
        contents: Sequence[bytes],
    ) -> list[int]:
        features = finite(self.encoder, self.encoder.embed_support(items))
        return self._store.add(
            [
                Row(
                    label,
                    storable(name),
                    facts,
                    feature,
                    self._keeping.original(content),
                    self._keeping.digest(content),
                )
                for label, name, facts, feature, content in zip(
                    labels, names, attributes, features, contents, strict=True
                )
            ]
        )


def finite(encoder: Encoder, features: Features) -> Features:
    """The features an encoder gave. Raises GalleryError where some are no numbers."""
    if not np.isfinite(features).all():
        raise GalleryError(f"{encoder!r} gave features that are no numbers; nothing was enrolled")
    return features


def new_facts(encoder: Encoder, source: Encoder | str | Path, float16: bool, images: bool) -> dict[str, str]:
    """What a gallery remembers of its encoder, how it keeps features, and whether it keeps items."""
    return {
        "fingerprint": encoder.fingerprint,
        "card": encoder.card.model_dump_json(),
        "source": _source(source),
        "precision": "float16" if float16 else "float32",
        **({} if images else {KEEPS: NONE}),
    }


def _source(encoder: Encoder | str | Path) -> str:
    """Where an encoder can be found again: its name or its file; empty for an object."""
    if isinstance(encoder, Encoder):
        return ""
    return str(encoder) if encoder in named_encoders() else str(Path(encoder).expanduser().resolve())


def _one_each(attributes: Mapping[str, NDArray[np.str_]]) -> list[dict[str, str]] | None:
    """Attributes by column become attributes by item."""
    columns = [attributes[key].tolist() for key in attributes]
    return [dict(zip(attributes, row, strict=True)) for row in zip(*columns, strict=True)] or None
