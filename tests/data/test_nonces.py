"""Files of new words, the real ones and made ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowshot.data.locate import find
from lowshot.data.nonces import Chimera, chimeras, definitions, similarities
from lowshot.errors import DataError, DataNotFound

real = pytest.mark.skipif(find("nonce2vec/LICENSE") is None, reason="nonce2vec is not in $LOWSHOT_DATA")


@real
def test_the_real_files_hold_what_the_papers_say() -> None:
    defined = definitions()
    assert len(defined) == 299 and defined[0].word == "honeywell" and all("___" in each.sentence for each in defined)
    for sentences in (2, 4, 6):
        trials = chimeras(sentences)
        assert len(trials) == 110
        assert all(len(each.sentences) == sentences and len(each.probes) == len(each.ratings) for each in trials)
    assert len(similarities()) == 3000


def test_a_trial_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWSHOT_DATA", str(tmp_path))
    monkeypatch.setenv("LOWSHOT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataNotFound, match="github"):
        definitions()
    file = tmp_path / "nonce2vec" / "chimeras.dataset.l2.tokenised.test.txt"
    file.parent.mkdir()
    file.write_text("1\ta ___ b @@ c ___\tpear,cup\t1.5,2\n", encoding="utf-8")
    assert chimeras(2) == [Chimera(("a ___ b", "c ___"), ("pear", "cup"), (1.5, 2.0))]
    file.write_text("1\tno more\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1: 2 columns instead of 4"):
        chimeras(2)
    with pytest.raises(DataError, match="2, 4, 6"):
        chimeras(3)
