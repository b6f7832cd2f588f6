"""Every learning method, one file a paper. Adding one touches its file, its test and one line here."""

from lowshot.errors import ConfigError
from lowshot.learn.method import Method
from lowshot.learn.methods.classifier import BackgroundClassifier
from lowshot.learn.methods.contrastive import ContrastiveLoss
from lowshot.learn.methods.histogram import HistogramLoss
from lowshot.learn.methods.learned_distance import LearnedDistance
from lowshot.learn.methods.lstm import LSTMNetwork
from lowshot.learn.methods.matching import MatchingNetworks
from lowshot.learn.methods.memory_augmented import MemoryAugmentedNetwork
from lowshot.learn.methods.meta_lstm import MetaLSTM
from lowshot.learn.methods.prototypical import PrototypicalNetworks
from lowshot.learn.methods.pseudo_labels import PseudoLabels
from lowshot.learn.methods.quadruplet import QuadrupletLoss
from lowshot.learn.methods.relation import RelationNetworks
from lowshot.learn.methods.siamese import SiameseNetworks
from lowshot.learn.methods.transfer import Transfer
from lowshot.learn.methods.triplet import TripletNetworks
from lowshot.learn.methods.weak_labels import WeakLabels

METHODS: tuple[type[Method], ...] = (  # type: ignore[type-arg]
    PrototypicalNetworks,
    MatchingNetworks,
    SiameseNetworks,
    TripletNetworks,
    QuadrupletLoss,
    HistogramLoss,
    ContrastiveLoss,
    LearnedDistance,
    RelationNetworks,
    MetaLSTM,
    MemoryAugmentedNetwork,
    LSTMNetwork,
    BackgroundClassifier,
    Transfer,
    PseudoLabels,
    WeakLabels,
)


def find_method(name: str) -> type[Method]:  # type: ignore[type-arg]
    """The method of that name. Raises ConfigError, listing the names, where there is none."""
    for method in METHODS:
        if method.record.name == name:
            return method
    raise ConfigError(f"no method {name!r}; there are {', '.join(each.record.name for each in METHODS)}")
