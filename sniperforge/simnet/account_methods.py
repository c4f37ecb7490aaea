"""JSON-RPC methods on accounts: balances, account data, program accounts, token accounts."""

from __future__ import annotations

from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from sniperforge.simnet.accounts import mint_supply, token_account, token_amount
from sniperforge.simnet.errors import invalid_params
from sniperforge.simnet.params import Options, Params, parse_pubkey, parse_string, wrong_type
from sniperforge.simnet.rpc import Methods, Node, with_context
from sniperforge.simnet.transactions import TOKEN_2022_PROGRAM, TOKEN_PROGRAM

_MAX_ACCOUNTS = 100


def _get_account_info(node: Node, params: Params) -> Any:
    key, options = params.pubkey(0), params.options(1)
    view, slot = options.view("binary"), node.slot(options)
    account = node.bank.account(key, slot)
    return with_context(slot, view.show(account, node.bank.decimals) if account is not None else None)


def _get_multiple_accounts(node: Node, params: Params) -> Any:
    keys = [parse_pubkey(text) for text in params.strings(0, _MAX_ACCOUNTS)]
    options = params.options(1)
    view, slot = options.view("base64"), node.slot(options)
    accounts = [node.bank.account(key, slot) for key in keys]
    shown = [view.show(account, node.bank.decimals) if account is not None else None for account in accounts]
    return with_context(slot, shown)


def _get_program_accounts(node: Node, params: Params) -> Any:
    program, options = params.pubkey(0), params.options(1)
    view, filters, slot = options.view("binary"), options.filters(), node.slot(options)
    wants_context = options.boolean("withContext")
    found = []
    for key, account in node.bank.program_accounts(program, slot):
        data = account.data
        if all(each.matches(data) for each in filters):
            found.append({"pubkey": str(key), "account": view.show(account, node.bank.decimals)})
    found.sort(key=lambda item: str(item["pubkey"]))
    return with_context(slot, found) if wants_context else found


def _get_balance(node: Node, params: Params) -> Any:
    key = params.pubkey(0)
    slot = node.slot(params.options(1))
    account = node.bank.account(key, slot)
    return with_context(slot, account.lamports if account is not None else 0)


def _existing(node: Node, key: Pubkey, slot: int) -> Account:
    account = node.bank.account(key, slot)
    if account is None:
        raise invalid_params("Invalid param: could not find account")
    return account


def _get_token_account_balance(node: Node, params: Params) -> Any:
    key = params.pubkey(0)
    slot = node.slot(params.options(1))
    held = token_account(_existing(node, key, slot))
    decimals = node.bank.decimals(held.mint) if held is not None else None
    if held is None or decimals is None:
        raise invalid_params("Invalid param: not a Token account")
    return with_context(slot, token_amount(held.amount, decimals))


def _get_token_supply(node: Node, params: Params) -> Any:
    key = params.pubkey(0)
    slot = node.slot(params.options(1))
    mint = mint_supply(_existing(node, key, slot))
    if mint is None:
        raise invalid_params("Invalid param: not a Token mint")
    return with_context(slot, token_amount(*mint))


def _get_token_accounts_by_owner(node: Node, params: Params) -> Any:
    owner = params.pubkey(0)
    wanted = params.mapping(1, "enum RpcTokenAccountsFilter")
    options = params.options(2)
    view, slot = options.view("binary"), node.slot(options)
    mint, program = _token_filter(node, wanted, slot)
    found = []
    for key, account in node.bank.program_accounts(program, slot):
        data = account.data
        if data[32:64] != bytes(owner) or (mint is not None and data[:32] != bytes(mint)):
            continue
        if token_account(account) is not None:
            found.append({"pubkey": str(key), "account": view.show(account, node.bank.decimals)})
    found.sort(key=lambda item: str(item["pubkey"]))
    return with_context(slot, found)


def _token_filter(node: Node, wanted: dict[str, Any], slot: int) -> tuple[Pubkey | None, Pubkey]:
    if len(wanted) != 1:
        raise wrong_type(wanted, "enum RpcTokenAccountsFilter")
    kind, text = next(iter(wanted.items()))
    if kind == "mint":
        mint = parse_pubkey(parse_string(text))
        account = node.bank.account(mint, slot)
        if account is None:
            raise invalid_params("Invalid param: could not find mint")
        if mint_supply(account) is None:
            raise invalid_params("Invalid param: not a Token mint")
        return mint, account.owner
    if kind == "programId":
        program = parse_pubkey(parse_string(text))
        if program not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
            raise invalid_params("Invalid param: unrecognized Token program id")
        return None, program
    raise invalid_params(f"Invalid params: unknown variant `{kind}`, expected `mint` or `programId`.")


def account_view(node: Node, account: Account | None, options: Options) -> Any:
    """An account as a simulation shows it."""
    return options.view("base64").show(account, node.bank.decimals) if account is not None else None


METHODS: Methods = {
    "getAccountInfo": (_get_account_info, 1, 2),
    "getMultipleAccounts": (_get_multiple_accounts, 1, 2),
    "getProgramAccounts": (_get_program_accounts, 1, 2),
    "getBalance": (_get_balance, 1, 2),
    "getTokenAccountBalance": (_get_token_account_balance, 1, 2),
    "getTokenSupply": (_get_token_supply, 1, 2),
    "getTokenAccountsByOwner": (_get_token_accounts_by_owner, 2, 3),
}
