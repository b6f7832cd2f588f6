"""The support set in production: enrolled examples in one file, and answers about new pictures."""

from lowshot.gallery.gallery import Gallery
from lowshot.gallery.records import Answer, Candidate, Match, Record

__all__ = ["Answer", "Candidate", "Gallery", "Match", "Record"]
