"""Every learning method, one file a paper. Adding one touches its file, its test and one line here."""

from lowshot.errors import ConfigError
from lowshot.learn.method import Method
from lowshot.learn.methods.contrastive import ContrastiveLoss
from lowshot.learn.methods.histogram import HistogramLoss
from lowshot.learn.methods.matching import MatchingNetworks
from lowshot.learn.methods.prototypical import PrototypicalNetworks
from lowshot.learn.methods.quadruplet import QuadrupletLoss
from lowshot.learn.methods.siamese import SiameseNetworks
from lowshot.learn.methods.triplet import TripletNetworks

METHODS: tuple[type[Method], ...] = (  # type: ignore[type-arg]
    PrototypicalNetworks,
    MatchingNetworks,
    SiameseNetworks,
    TripletNetworks,
    QuadrupletLoss,
    HistogramLoss,
    ContrastiveLoss,
)


def find_method(name: str) -> type[Method]:  # type: ignore[type-arg]
    """The method of that name. Raises ConfigError, listing the names, where there is none."""
    for method in METHODS:
        if method.record.name == name:
            return method
    raise ConfigError(f"no method {name!r}; there are {', '.join(each.record.name for each in METHODS)}")
