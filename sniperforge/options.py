"""The options that every command about an instance has: which configuration, which keys, which instance; and what a
number on a command line may be."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

from sniperforge.config import Config, load

_YEAR_10000 = 253_402_300_800


def whole(text: str, low: int = 0, high: int = (1 << 64) - 1) -> int:
    """A whole number in a range; as argparse's `type`.

    Raises:
        argparse.ArgumentTypeError: it is none; says which will do.
    """
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdecimal() and len(digits) <= 20 and low <= int(text) <= high:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} must be a whole number from {low} to {high}")


def between(low: int, high: int) -> Callable[[str], int]:
    """`whole` in this range."""
    return lambda text: whole(text, low, high)


def run_number(text: str) -> int:
    """The number of a run; as argparse's `type`."""
    return whole(text, 1, (1 << 32) - 1)


def number(text: str) -> float:
    """A finite number; as argparse's `type`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    raise argparse.ArgumentTypeError(f"{text} is no number")


def seconds(low: float = 0, high: float = 86_400) -> Callable[[str], float]:
    """A time in seconds in this range; as argparse's `type`."""

    def of(text: str) -> float:
        if low <= (value := number(text)) <= high:
            return value
        raise argparse.ArgumentTypeError(f"{text} must be from {low:g} to {high:g} seconds")

    return of


def unix(text: str) -> int:
    """A moment in seconds since 1970; as argparse's `type`."""
    return whole(text, 0, _YEAR_10000 - 1)


def add(parser: argparse.ArgumentParser) -> None:
    """Adds --config, --set and --instance."""
    parser.add_argument(
        "--config", metavar="FILE", type=Path, action="append", default=[], help="TOML file laid over the defaults"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="set one key, e.g. risk.max_open_orders=8",
    )
    parser.add_argument("--instance", metavar="NAME", help="name of the instance (default: instance.name)")


def config(arguments: argparse.Namespace) -> Config:
    """The configuration that the options ask for; a named instance keeps its state in `var/<name>`.

    Raises:
        sniperforge.config.ConfigError: names the key and the fix.
    """
    settings = list(arguments.settings)
    if arguments.instance:
        name, directory = json.dumps(arguments.instance), json.dumps("var/" + arguments.instance)
        settings = [f"instance.name={name}", f"instance.state_dir={directory}", *settings]
    return load(arguments.config, settings)
