"""The ``voices`` encoder: who speaks, by Resemblyzer's network, exported once to an encoder file.

The weights come inside a package (Apache-2.0), so no hub is asked; what else the package needs is not needed. Run as
``python -m lowshot.learn.voices FILE``, which is what :meth:`lowshot.encoder.Encoder.load` does the first time.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

import lowshot.encoder
from lowshot.data import SoundForm
from lowshot.disk import write_atomically
from lowshot.encoder import Card, add_card
from lowshot.encoder.packaged import packaged, run_export
from lowshot.errors import EncoderError

PACKAGE = "resemblyzer==0.1.4"
FORM = SoundForm(rate=16_000, seconds=3.2)
CARD = Card(
    name="voices",
    modality="sound",
    form=FORM,
    mean=(0.0,),
    std=(32768.0,),
    features=256,
    distance="cosine",
    method="Resemblyzer's voice encoder: of parts of 1.6 s, every 0.8 s, the mean, each weighing as much as is heard in it",
    background="speech of thousands of people, of the network; 32 speakers of speech_commands, of the background features",
    command="python -m lowshot.learn.voices FILE",
    license="network Apache-2.0 (Resemblyzer); background features CC BY 4.0 (Speech Commands)",
)
BACKGROUND = Path(lowshot.encoder.__file__).parent / "files" / "voices_background.npz"  # `make voices`

_WEIGHTS = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"


def export_voices(path: Path) -> None:
    """Write the encoder file. Raises EncoderError where the packages are not installed, or are others."""
    weights = packaged(PACKAGE, "pretrained.pt", _WEIGHTS)
    try:
        import torch

        from lowshot.learn.export import to_onnx
        from lowshot.learn.voice_network import VoiceNetwork
    except ImportError as error:
        raise EncoderError(f"{error.name} is not installed: pip install 'lowshot[voices]'") from None
    network = VoiceNetwork()
    # weights_only reads tensors and refuses every other object a pickle could hold
    trained = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)["model_state"]
    network.load_state_dict({name: trained[name] for name in network.state_dict()})
    with np.load(BACKGROUND, allow_pickle=False) as kept:
        background = kept["features"], kept["labels"]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, add_card(to_onnx(network, FORM), CARD, background))


if __name__ == "__main__":
    run_export(export_voices)
