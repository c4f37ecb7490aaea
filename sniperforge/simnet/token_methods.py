"""JSON-RPC methods on whole mints: who holds most of one."""

from __future__ import annotations

from typing import Any

from sniperforge.simnet.accounts import mint_supply, token_account, token_amount
from sniperforge.simnet.errors import invalid_params
from sniperforge.simnet.params import Params
from sniperforge.simnet.rpc import Methods, Node, with_context

_LARGEST = 20


def _get_token_largest_accounts(node: Node, params: Params) -> Any:
    mint = params.pubkey(0)
    slot = node.slot(params.options(1))
    account = node.bank.account(mint, slot)
    if account is None:
        raise invalid_params("Invalid param: could not find mint")
    state = mint_supply(account)
    if state is None:
        raise invalid_params("Invalid param: not a Token mint")
    found = []
    for key, holder in node.bank.program_accounts(account.owner, slot):
        held = token_account(holder)
        if held is not None and held.mint == mint and held.amount:
            found.append((-held.amount, str(key)))
    found.sort()
    return with_context(slot, [{"address": key, **token_amount(-amount, state[1])} for amount, key in found[:_LARGEST]])


METHODS: Methods = {
    "getTokenLargestAccounts": (_get_token_largest_accounts, 1, 2),
}
