"""Features in, answers out: recognizers in scikit-learn's conventions, and when to say "unknown"."""

from lowshot.recognize.agreement import Agreement, agreement
from lowshot.recognize.choice import Choice, choose, recognizer_named
from lowshot.recognize.dap import DirectAttributePrediction
from lowshot.recognize.distances import Distance, distances
from lowshot.recognize.eszsl import ESZSL
from lowshot.recognize.exemplars import Exemplars
from lowshot.recognize.linear_probe import CosineClassifier, LinearProbe
from lowshot.recognize.mahalanobis import MahalanobisPrototype
from lowshot.recognize.neighbors import NearestNeighbors
from lowshot.recognize.prototypes import NearestPrototype
from lowshot.recognize.self_training import SelfTraining
from lowshot.recognize.semantic_codes import SemanticCodes
from lowshot.recognize.simple_shot import SimpleShot
from lowshot.recognize.soft_kmeans import SoftKMeans
from lowshot.recognize.whitened import WhitenedPrototype, Whitening
from lowshot.recognize.zero_shot import ZeroShot

__all__ = [
    "ESZSL",
    "Agreement",
    "Choice",
    "CosineClassifier",
    "DirectAttributePrediction",
    "Distance",
    "Exemplars",
    "LinearProbe",
    "MahalanobisPrototype",
    "NearestNeighbors",
    "NearestPrototype",
    "SelfTraining",
    "SemanticCodes",
    "SimpleShot",
    "SoftKMeans",
    "WhitenedPrototype",
    "Whitening",
    "ZeroShot",
    "agreement",
    "choose",
    "distances",
    "recognizer_named",
]
