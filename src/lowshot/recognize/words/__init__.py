"""The sense of a word seen once: from a definition or a few sentences to a vector among those of the known words.

One file a method, named after it. The known words' vectors are given and stay as they are.
"""

from lowshot.recognize.words.a_la_carte import ALaCarte
from lowshot.recognize.words.additive import Additive
from lowshot.recognize.words.lampinen_mcclelland import LampinenMcClelland
from lowshot.recognize.words.language_model import LanguageModel
from lowshot.recognize.words.learner import RowLearner, WordLearner
from lowshot.recognize.words.nonce2vec import Nonce2Vec
from lowshot.recognize.words.together import Together
from lowshot.recognize.words.whole_sentence import WholeSentence

__all__ = [
    "ALaCarte",
    "Additive",
    "LampinenMcClelland",
    "LanguageModel",
    "Nonce2Vec",
    "RowLearner",
    "Together",
    "WholeSentence",
    "WordLearner",
]
