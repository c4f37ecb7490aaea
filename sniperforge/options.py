"""The options that every command about an instance has: which configuration, which keys, which instance."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sniperforge.config import Config, load


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
