"""Trained encoders: pictures in, features out, without torch."""

from lowshot.encoder.card import Card, Distance
from lowshot.encoder.encoder import Encoder, Features, add_card, recommend_views
from lowshot.encoder.named import named_encoders
from lowshot.encoder.views import Views, views

__all__ = ["Card", "Distance", "Encoder", "Features", "Views", "add_card", "named_encoders", "recommend_views", "views"]
