"""JSON-RPC methods outside Solana's names: the market's table, test tokens, status and fault switches."""

from __future__ import annotations

from typing import Any

import msgspec

from sniperforge import base58
from sniperforge.simnet import market
from sniperforge.simnet.accounts import View
from sniperforge.simnet.config import ConfigError
from sniperforge.simnet.errors import invalid_params
from sniperforge.simnet.params import Params, parse_signature
from sniperforge.simnet.rpc import Methods, Node, with_context
from sniperforge.simnet.transaction_methods import submit
from sniperforge.simnet.venue_pools import VENUES

_RETRIES = 2**63


def _simnet_market(node: Node, params: Params) -> Any:
    return market.describe(node.market)


def _simnet_mint_to(node: Node, params: Params) -> Any:
    mint, owner, amount = params.pubkey(0), params.pubkey(1), params.u64(2)
    account, decoded = node.faucet.mint_to(node.bank, mint, owner, amount)
    if decoded is not None:
        submit(node, decoded, _RETRIES)
    signature = base58.encode(decoded.signature) if decoded is not None else None
    return with_context(node.bank.chain.slot, {"account": str(account), "signature": signature})


def _simnet_add_pool(node: Node, params: Params) -> Any:
    known = {mint.address: mint for mint in node.market.mints}
    venue, mints, value_usd, premium_bps = params.string(0), params.strings(1, 2), params.u64(2), params.u64(3)
    if venue not in VENUES or len(mints) != 2 or not known.keys() >= set(mints):
        raise invalid_params("Invalid params: a venue, two mints of the market, USD, basis points over the fair price")
    first, second = (known[mint] for mint in mints)
    first = msgspec.structs.replace(first, price_usd=first.price_usd * (1 + premium_bps / 10_000))
    bank = node.bank
    try:
        made = market.new_pool(
            dict(bank.accounts()), node.market, venue, (first, second), float(value_usd), f"pool at {bank.transactions}"
        )
    except ConfigError as error:
        raise invalid_params(f"Invalid params: {error}") from error
    bank.inject(list(made.items()))
    return with_context(bank.chain.slot, str(next(iter(made))))


def _simnet_failure(node: Node, params: Params) -> Any:
    failure = node.bank.failures.get(parse_signature(params.string(0)))
    if failure is None:
        return None
    show, decimals = View("base64", None).show, node.bank.decimals
    accounts = {
        str(key): None if account is None else show(account, decimals) for key, account in failure.accounts.items()
    }
    return {"slot": failure.slot, "unixTimestamp": failure.unix_s, "accounts": accounts}


def _simnet_set_faults(node: Node, params: Params) -> Any:
    try:
        node.faults.change(params.mapping(0, "struct FaultsConfig"))
    except ConfigError as error:
        raise invalid_params(f"Invalid params: {error}") from error
    return msgspec.to_builtins(node.faults.config)


def _simnet_status(node: Node, params: Params) -> Any:
    bank = node.bank
    return {
        "slot": bank.chain.slot,
        "blockHeight": bank.chain.height,
        "confirmed": bank.chain.confirmed,
        "finalized": bank.chain.finalized,
        "transactions": bank.transactions,
        "queued": bank.queued,
        "dropped": bank.dropped,
        "failures": {"kept": len(bank.failures), "forgotten": bank.failures.forgotten},
        "faults": msgspec.to_builtins(node.faults.config),
        "counters": node.counters,
    }


METHODS: Methods = {
    "simnetAddPool": (_simnet_add_pool, 4, 4),
    "simnetFailure": (_simnet_failure, 1, 1),
    "simnetMarket": (_simnet_market, 0, 0),
    "simnetMintTo": (_simnet_mint_to, 3, 3),
    "simnetSetFaults": (_simnet_set_faults, 1, 1),
    "simnetStatus": (_simnet_status, 0, 0),
}
