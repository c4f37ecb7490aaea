"""`sniperforge clean`: stale instances out of shared memory, and a state directory on request."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from ipc.views import directory, instances, owner, remove
from sniperforge import exits
from sniperforge.config import Config
from sniperforge.state import StateDirectory, StateLocked


def clean(config: Config, *, named: bool, state: bool, confirm: Callable[[str], bool]) -> tuple[list[str], int]:
    """Removes what nobody uses; returns a sentence for each thing done and the exit code.

    Args:
        named: only the configured instance, which must be there; otherwise every stale one.
        state: also remove the state directory of the configured instance, unless it is in use.
        confirm: asked with what would be lost before a state directory is removed.
    """
    sentences = []
    own = config.instance.name
    if named and not directory(own).exists() and not config.state_dir.exists():
        return [f"there is no instance {own}, and no state directory {config.state_dir}"], exits.NOT_RUNNING
    for name in [own] if named else instances():
        pid = owner(name)
        if pid is not None:
            sentences.append(f"instance {name} runs (process {pid}): left alone")
        elif remove(name):
            sentences.append(f"removed stale instance {name}")
    code = exits.OK
    if state and config.state_dir.exists():
        sentence, code = _clean_state(config, confirm)
        sentences.append(sentence)
    return sentences, code


def _clean_state(config: Config, confirm: Callable[[str], bool]) -> tuple[str, int]:
    what = f"{config.state_dir}: journal, books, wallet and chain of {config.instance.name}"
    try:
        lock = StateDirectory(config.state_dir).lock()
    except StateLocked as error:
        return f"{error}; stop it with `sniperforge stop --instance {config.instance.name}`", exits.REFUSED
    try:
        if not confirm(f"{what}, with the wallet's key"):
            return f"{config.state_dir} is left alone: it holds the wallet's key; --yes removes it", exits.REFUSED
        shutil.rmtree(config.state_dir)
    finally:
        os.close(lock)
    return f"removed {what}", exits.OK
