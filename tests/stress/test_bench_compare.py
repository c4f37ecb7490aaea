"""`bench compare` finds a stage that became a tenth slower, and nothing between two runs of one build.

`make stress` runs it ten times (TRIALS): it takes some minutes, and a machine that does nothing else.
"""

from __future__ import annotations

import os

import pytest

from bench.prove_compare import prove


@pytest.mark.slow
@pytest.mark.skipif("SNIPERFORGE_TRIALS" not in os.environ, reason="a quiet machine and some minutes: make stress")
@pytest.mark.timeout(3600)
def test_a_tenth_is_found_and_the_same_build_passes(capsys: pytest.CaptureFixture[str]) -> None:
    trials = int(os.environ["SNIPERFORGE_TRIALS"])
    said: list[str] = []
    proved = prove(trials, "sign", 0.1, said.append)
    with capsys.disabled():
        print("\n" + "\n".join(said))
    assert proved, "\n".join(said)
