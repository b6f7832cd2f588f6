"""How good are features? The field's protocols, on features embedded once, with intervals.

``*_of`` functions take an encoder and run it; the others take features or distances. :mod:`lowshot.evaluate.baselines`
has comparisons to beat, :mod:`lowshot.evaluate.results` keeps what was measured.
"""

from lowshot.evaluate.episodes import Answering, EpisodeScores, score_answers, score_episodes, score_recognizer
from lowshot.evaluate.lake import LakeResult, lake, lake_of
from lowshot.evaluate.nway import NWayResult, nway, nway_of
from lowshot.evaluate.open_set import OpenSetReport, OpenSetResult, asked_set, open_set, open_set_of, write_diagram
from lowshot.evaluate.semi import SemiResult, semi, semi_of
from lowshot.evaluate.sequences import SequentialResult, sequential, sequential_of
from lowshot.evaluate.verify import VerifyResult, verify, verify_of
from lowshot.evaluate.words import ChimerasResult, NoncesResult, chimeras, nonces
from lowshot.evaluate.zero_shot import (
    LeaveTwoOutResult,
    ZeroShotResult,
    leave_two_out,
    leave_two_out_of,
    zero_shot,
    zero_shot_of,
)

__all__ = [
    "Answering",
    "ChimerasResult",
    "EpisodeScores",
    "LakeResult",
    "LeaveTwoOutResult",
    "NWayResult",
    "NoncesResult",
    "OpenSetReport",
    "OpenSetResult",
    "SemiResult",
    "SequentialResult",
    "VerifyResult",
    "ZeroShotResult",
    "asked_set",
    "chimeras",
    "lake",
    "lake_of",
    "leave_two_out",
    "leave_two_out_of",
    "nonces",
    "nway",
    "nway_of",
    "open_set",
    "open_set_of",
    "score_answers",
    "score_episodes",
    "score_recognizer",
    "semi",
    "semi_of",
    "sequential",
    "sequential_of",
    "verify",
    "verify_of",
    "write_diagram",
    "zero_shot",
    "zero_shot_of",
]
