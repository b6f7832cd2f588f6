"""The card of an encoder file: what the model expects, how its features are compared, where it comes from."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lowshot.data import Form, Modality
from lowshot.encoder.views import Views

Distance = Literal["euclidean", "cosine", "l1"]


class Card(BaseModel):
    """Travels inside the ``.onnx`` file, as JSON in its metadata.

    A model with a card gives ``float32`` (n, features). It takes, by modality:

    - images: ``float32`` (n, channels, height, width), each pixel scaled to ``(pixel - mean) / std``;
    - sounds: ``float32`` (n, samples), each sample scaled in the same way;
    - texts: ``int64`` (n, tokens) of each of ``input_ids``, ``attention_mask`` and ``token_type_ids`` that it has as an
      input, as the tokenizer says that the encoder file carries.

    Attributes:
        form: pixels, samples or texts expected; every item is brought to it. It also says the modality.
        mean, std: scaling of pixel values 0–255, one number a channel (``mean=255, std=-255`` makes ink 1, paper 0), or of
            samples from -32768 to 32767; none for texts.
        features: length of a feature vector.
        distance: how two features are compared: ``euclidean`` (squared), ``cosine`` (features are of unit length) or
            ``l1``.
        negative: with ``l1``, how many of the **last** features count against the distance. Koch's learned weights may
            have either sign; their size is folded into the features and their sign is kept here.
        compare: against class means (``prototype``) or single examples (``neighbor``), as in the method's paper.
        views: seen in which ways an enrolled example says most of its class, see :func:`~lowshot.encoder.views.views`.
        background: the data it learned from, and their fingerprint: classes found there are not new to it.
        measured: results with their protocol, as ``lowshot evaluate --json`` prints them.
        command: what made the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    modality: Modality = "image"
    form: Form
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    features: int = Field(ge=1)
    distance: Distance = "cosine"
    negative: int = Field(default=0, ge=0)
    compare: Literal["prototype", "neighbor"] = "prototype"
    views: Views = "none"
    method: str = ""
    config: dict[str, Any] = {}
    background: str = ""
    background_fingerprint: str = ""
    measured: tuple[dict[str, Any], ...] = ()
    command: str = ""
    license: str = ""

    @model_validator(mode="after")
    def _agree(self) -> Card:
        if self.modality != self.form.modality:
            raise ValueError(f"the form is of {self.form.modality}s, but the modality says {self.modality}")
        channels = {"image": getattr(self.form, "channels", 0), "sound": 1, "text": 0}[self.modality]
        for what, values in {"mean": self.mean, "std": self.std}.items():
            if len(values) != channels:
                raise ValueError(f"{what} needs {channels} numbers, one a channel, not {len(values)}")
        if self.views != "none" and self.modality != "image":
            raise ValueError(f"views {self.views!r} are of images, not of {self.modality}s")
        if 0 in self.std:
            raise ValueError("std must not be 0")
        if self.negative and (self.distance != "l1" or self.negative > self.features):
            raise ValueError("negative features go with the l1 distance, and cannot be more than all of them")
        return self
