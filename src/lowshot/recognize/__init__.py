"""Features in, answers out: recognizers in scikit-learn's conventions, and when to say "unknown"."""

from lowshot.recognize.distances import Distance, distances
from lowshot.recognize.neighbors import NearestNeighbors
from lowshot.recognize.prototypes import NearestPrototype

__all__ = ["Distance", "NearestNeighbors", "NearestPrototype", "distances"]
