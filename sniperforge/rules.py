"""What keys of the configuration must hold together: combinations that cannot work stop the start here.

Each rule yields sentences that name a key and the fix; types and ranges of single keys stand in the structures.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from spl.token.constants import WRAPPED_SOL_MINT

from sniperforge import base58
from sniperforge.simnet import config as simnet_config
from sniperforge.tile_config import ArbConfig, StrategyConfig

if TYPE_CHECKING:
    from sniperforge.config import Config

_SNIPER = "sniperforge.strategies.sniper:Sniper"
_IN_POSITIONS = frozenset({"raydium_clmm", "orca_whirlpool", "meteora_dlmm"})
"""Venues whose liquidity nobody can tell to be locked."""

WSOL = str(WRAPPED_SOL_MINT)

_LONGEST_TEXT = 4096
_LONGEST_PATH = 200  # bytes; the journal's and the segments' names come behind it
_DEEPEST = 32
_BLOCK_ALIGN = 4096
_SEGMENT_ALIGN = 1 << 20


def broken(config: Config, plain: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each rule that `config` breaks.

    Args:
        plain: the same as plain data.
    """
    yield from _texts(plain, "", 0)
    yield from _places(config)
    yield from _chain(config)
    yield from _intervals(config)
    yield from _journal(config)
    yield from _sign(config)
    yield from _addresses(config)
    yield from _bots(config)
    try:
        simnet_config.check(config.simnet)
    except simnet_config.ConfigError as error:
        yield str(error)


def _texts(value: Any, key: str, depth: int) -> Iterator[str]:
    """A text is one line: tiles get their parameters as lines."""
    if depth > _DEEPEST:
        yield f"{key}: is nested more than {_DEEPEST} deep; flatten it"
    elif isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            yield f"{key}: is {len(value)} characters long; use at most {_LONGEST_TEXT}"
        elif any(ord(character) < 32 or ord(character) == 127 for character in value):
            yield f"{key}: holds a control character; write it on one line"
        elif not _encodable(value):
            yield f"{key}: is no Unicode text; use valid characters only"
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            where = f"{key}.{name}" if key else name
            yield from _texts(name, where, depth)
            yield from _texts(inner, where, depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{key}[{number}]", depth + 1)


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _places(config: Config) -> Iterator[str]:
    if not config.instance.state_dir:
        yield "instance.state_dir: is empty; name a directory"
    elif len(os.fsencode(config.state_dir)) > _LONGEST_PATH:
        yield f"instance.state_dir: {config.state_dir} is longer than {_LONGEST_PATH} bytes; use a shorter path"
    if not config.wallet.path or config.wallet.path.endswith("/"):
        yield f'wallet.path: {config.wallet.path!r} names no file; use "wallet.json"'


def _url(key: str, url: str, schemes: tuple[str, str], example: str) -> Iterator[str]:
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        yield f"{key}: {url!r} is no {schemes[0]}(s) URL; use {example}"


def _chain(config: Config) -> Iterator[str]:
    chain, control, wallet = config.chain, config.control, config.wallet
    if not chain.embedded:
        yield from _url("chain.url", chain.url, ("http", "https"), '"embedded" or http://host:port')
    if chain.websocket_url:
        yield from _url("chain.websocket_url", chain.websocket_url, ("ws", "wss"), "ws://host:port")
    if wallet.wrap_sol > wallet.fund_sol - 1:
        yield "wallet.wrap_sol: must leave 1 SOL for fees; set it to at most wallet.fund_sol - 1"
    if control.tcp and not (control.curve_secret_file and control.curve_clients):
        yield "control.tcp: needs control.curve_secret_file and control.curve_clients; TCP is for CURVE keys only"
    if control.tcp:
        host, _, port = control.tcp.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65535:
            yield f"control.tcp: {control.tcp!r} is no address; use host:port with a port from 1 to 65534"


def _intervals(config: Config) -> Iterator[str]:
    for name, section in (("supervisor", config.supervisor), ("feed", config.feed), ("send", config.send)):
        if section.backoff_min_ms > section.backoff_max_ms:
            yield f"{name}.backoff_min_ms: is above {name}.backoff_max_ms; lower it or raise the other"
    if config.feed.ping_ms >= config.feed.timeout_ms:
        yield "feed.ping_ms: is not below feed.timeout_ms; lower it or raise the other"


def _journal(config: Config) -> Iterator[str]:
    journal = config.journal
    if journal.block_bytes % _BLOCK_ALIGN:
        yield f"journal.block_bytes: {journal.block_bytes} is no multiple of {_BLOCK_ALIGN}; use 65536"
    if journal.segment_bytes % _SEGMENT_ALIGN:
        yield f"journal.segment_bytes: {journal.segment_bytes} is no multiple of {_SEGMENT_ALIGN}; use 67108864"
    least = 2 * journal.blocks * journal.block_bytes
    if journal.segment_bytes < least:
        yield f"journal.segment_bytes: must hold all blocks twice; use at least {least}, or fewer blocks"


def _sign(config: Config) -> Iterator[str]:
    if config.sign.nonce_pool_force and not config.sign.nonce_pool:
        yield "sign.nonce_pool_force: is for sign.nonce_pool, which is 0; set it to false"


def _addresses(config: Config) -> Iterator[str]:
    found = [("risk.base_mint", config.risk.base_mint)]
    found += [(f"risk.mint_max_amount.{mint}", mint) for mint in config.risk.mint_max_amount]
    found += [(f"sign.programs[{number}]", key) for number, key in enumerate(config.sign.programs)]
    found += [(f"sign.tip_accounts[{number}]", key) for number, key in enumerate(config.sign.tip_accounts)]
    found += [("build.tip_account", key) for key in (config.build.tip_account,) if key]
    for name, keys in (("build", config.build), ("sign", config.sign)):
        found += [(f"{name}.protect_account", key) for key in (keys.protect_account,) if key]
        found += [(f"{name}.lookup_tables[{number}]", key) for number, key in enumerate(keys.lookup_tables)]
    found += [(f"safety.listed_mints[{number}]", key) for number, key in enumerate(config.safety.listed_mints)]
    found += [(f"safety.lockers[{number}]", key) for number, key in enumerate(config.safety.lockers)]
    found += [(f"safety.min_liquidity.{mint}", mint) for mint in config.safety.min_liquidity]
    found += [(f"safety.amount.{mint}", mint) for mint in config.safety.amount]
    for key, address in found:
        try:
            base58.decode(address, 32)
        except ValueError as error:
            yield f"{key}: {error}; use an address in base58"
    if config.build.protect_account != config.sign.protect_account:
        yield "build.protect_account: is not sign.protect_account, so none would be signed; make them equal"
    for number, table in enumerate(config.build.lookup_tables):
        if table not in config.sign.lookup_tables:
            yield f"build.lookup_tables[{number}]: is not in sign.lookup_tables, so none is signed; add it there"
    if config.build.tip_account and config.build.tip_account not in config.sign.tip_accounts:
        yield "build.tip_account: is not in sign.tip_accounts, so no tip would be signed; add it there"


def _bots(config: Config) -> Iterator[str]:
    if not config.bots:
        yield "bots: no bot is configured; add a section [bots.<name>]"
    owners: dict[int, str] = {}
    for name, bot in config.bots.items():
        if bot.bot in owners:
            yield f"bots.{name}.bot: {bot.bot} is already that of bots.{owners[bot.bot]}; give it another number"
        owners[bot.bot] = name
        if isinstance(bot, StrategyConfig):
            module, _, attribute = bot.class_.partition(":")
            if not all(part.isidentifier() for part in (*module.split("."), attribute)):
                yield f'bots.{name}.class: {bot.class_!r} is no class; use "package.module:Class"'
            elif bot.class_ == _SNIPER:
                yield from (f"bots.{name}.settings.{sentence}" for sentence in _sniper(config, bot.settings))
        elif isinstance(bot, ArbConfig):
            if bot.base_mint != WSOL:
                yield f"bots.{name}.base_mint: costs are in lamports, so only WSOL is accepted; use {WSOL}"
            if bot.tip_bps and not config.build.tip_account:
                yield f"bots.{name}.tip_bps: needs build.tip_account; set that, or 0 here"
            if bot.ladder_loss_bps and not config.sign.ladder:
                yield f"bots.{name}.ladder_loss_bps: needs sign.ladder; set that, or 0 here"
            if bot.slippage_bps > config.risk.collar_bps:
                yield (
                    f"bots.{name}.slippage_bps: is above risk.collar_bps, so every order would be denied; "
                    "lower it or raise the other"
                )


def _sniper(config: Config, settings: Mapping[str, Any]) -> Iterator[str]:
    """Settings of a sniper that the rest of the configuration makes impossible; the class itself checks the others."""
    risk, safety = config.risk, config.safety
    venues = settings.get("venues")
    if isinstance(venues, list):
        for venue in venues:
            if venue not in config.pools.venues:
                yield f"venues: {venue} is not among pools.venues, so none of its pools is seen; take it out, or add it"
        if safety.gate and safety.require_lp_locked and venues and _IN_POSITIONS.issuperset(venues):
            yield "venues: none of them can show locked liquidity; add another, or set safety.require_lp_locked = false"

    def number(key: str) -> int:
        value = settings.get(key)
        return value if isinstance(value, int) else 0

    size, ceiling = number("size_lamports"), number("max_slippage_bps")
    if size > risk.max_order_lamports:
        yield "size_lamports: is above risk.max_order_lamports, so every buy would be denied; lower it or raise that"
    if ceiling > risk.collar_bps:
        yield "max_slippage_bps: is above risk.collar_bps, so such orders would be denied; lower it or raise the other"
    if not safety.gate:
        yield "venues: verdicts are needed and safety.gate is off; set safety.gate = true"
        return
    if size > safety.amount_lamports:
        yield "size_lamports: is above safety.amount_lamports, what verdicts speak of; lower it or raise the other"
    age, deepest = number("max_pool_age_s"), number("max_liquidity_lamports")
    if age and age <= safety.min_pool_age_s:
        yield "max_pool_age_s: is not above safety.min_pool_age_s, so no pool is old and young enough; raise it"
    if deepest and deepest < safety.min_liquidity_lamports:
        yield "max_liquidity_lamports: is below safety.min_liquidity_lamports, so no pool can match; raise it"
    mints = settings.get("mints")
    if isinstance(mints, list) and mints and set(mints) <= set(safety.listed_mints):
        yield "mints: all are in safety.listed_mints, which are not checked and not sniped; name others"
