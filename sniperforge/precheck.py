"""What is checked before anything of an instance is started, so that a mistake is one sentence and no half a start."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NoReturn

from ipc.errors import CoreError
from ipc.views import Instance, owner
from sniperforge import exits
from sniperforge.config import Config
from sniperforge.processes import fork
from sniperforge.strategies.base import Context
from sniperforge.tile_config import StrategyConfig
from sniperforge.tiles.strategies import BotParams, StrategyError, load
from sniperforge.wallet import keyfile

Say = Callable[[str], None]


def running_elsewhere(config: Config) -> str:
    """Why the instance's name is taken; empty if it is free, or runs from the configured state directory.

    One that runs from the same state directory is told by the lock of that.
    """
    name = config.instance.name
    pid = owner(name)
    if pid is None:
        return ""
    try:
        with Instance.open(name) as instance:
            directory = instance.state_dir
    except (CoreError, OSError):  # it is being made or removed
        return f"instance {name} belongs to process {pid}; {stop_or_rename(name)}"
    if directory.resolve() == config.state_dir.resolve():
        return ""
    return f"instance {name} runs already (process {pid}, state in {directory}); {stop_or_rename(name)}"


def stop_or_rename(name: str) -> str:
    """What to do about an instance that is in the way."""
    return f"stop it with `sniperforge stop --instance {name}`, or use another --instance"


def wallet_and_bots(config: Config, passphrase: str | None, say: Say) -> int:
    """Opens the key and makes every bot once, in a process of its own; returns the exit code and says what is wrong.

    The key and what a bot's module does at import stay in that process.
    """
    if passphrase is None and not any(isinstance(bot, StrategyConfig) for bot in config.bots.values()):
        return exits.OK
    pid = fork("sf-check", lambda: _wallet_and_bots(config, passphrase, say))
    return max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), exits.OK)


def _wallet_and_bots(config: Config, passphrase: str | None, say: Say) -> int:
    try:
        if passphrase is not None:
            keyfile.read(config.wallet_path, passphrase=passphrase)
        for name, bot in config.bots.items():
            if isinstance(bot, StrategyConfig):
                params = BotParams(bot=bot.bot, name=name, class_=bot.class_, settings=bot.settings)
                load(params, Context(token=_no_token, balances={}, intents_per_message=1))
    except (StrategyError, keyfile.KeyFileError) as error:
        say(f"sniperforge: {error}")
        return exits.USAGE
    return exits.OK


def _no_token(row: int) -> NoReturn:
    raise KeyError(f"token {row}: no message has named it yet")
