"""`sniperforge clean`: stale instances out of shared memory, and a state directory on request."""

from __future__ import annotations

import os
import shutil

from ipc.views import instances, owner, remove
from sniperforge import exits
from sniperforge.config import Config
from sniperforge.state import StateDirectory, StateLocked


def clean(config: Config, *, state: bool) -> tuple[list[str], int]:
    """Removes what nobody uses; returns a sentence for each thing done and the exit code.

    Args:
        state: also remove the state directory of the configured instance, unless it is in use.
    """
    sentences = []
    code = exits.OK
    for name in instances():
        pid = owner(name)
        if pid is not None:
            sentences.append(f"instance {name} runs (process {pid}): left alone")
        elif remove(name):
            sentences.append(f"removed stale instance {name}")
    if state and config.state_dir.exists():
        try:
            os.close(StateDirectory(config.state_dir).lock())
            shutil.rmtree(config.state_dir)
            sentences.append(f"removed {config.state_dir}: journal, books, wallet and chain of {config.instance.name}")
        except StateLocked as error:
            sentences.append(str(error))
            code = exits.REFUSED
    return sentences, code
