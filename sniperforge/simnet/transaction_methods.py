"""JSON-RPC methods on transactions: sending, simulating, airdrops, statuses and history."""

from __future__ import annotations

from typing import Any

from solders.pubkey import Pubkey

from sniperforge import base58
from sniperforge.simnet import encoding, transaction_view
from sniperforge.simnet.account_methods import account_view
from sniperforge.simnet.bank import Simulation
from sniperforge.simnet.errors import (
    INVALID_PARAMS,
    PREFLIGHT_FAILURE,
    SIGNATURE_VERIFICATION_FAILURE,
    RpcError,
    invalid_params,
    transaction_error_text,
)
from sniperforge.simnet.ledger import Location
from sniperforge.simnet.params import Options, Params, parse_pubkey, parse_signature, wrong_type
from sniperforge.simnet.rpc import Methods, Node, with_context
from sniperforge.simnet.transactions import PACKET_BYTES, Decoded, MalformedTransaction, decode

_TYPE = "solana_transaction::versioned::VersionedTransaction"
_MAX_BASE58 = 1683
_MAX_BASE64 = 1644
_MAX_STATUSES = 256
_MAX_SIGNATURES = 1000
_DEFAULT_RETRIES = 2**63
_LAMPORTS_PER_SOL = 1_000_000_000


def _decode_wire(text: str, form: str) -> Decoded:
    longest = _MAX_BASE64 if form == "base64" else _MAX_BASE58
    if len(text) > longest:
        size = f"{len(text)} bytes (max: encoded/raw {longest}/{PACKET_BYTES})"
        raise invalid_params(f"{form} encoded {_TYPE} too large: {size}")
    try:
        raw = encoding.base64_decode(text) if form == "base64" else encoding.base58_decode(text)
    except encoding.EncodingError as error:
        raise invalid_params(f"invalid {form} encoding: {error}") from error
    if len(raw) > PACKET_BYTES:
        raise invalid_params(f"decoded {_TYPE} too large: {len(raw)} bytes (max: {PACKET_BYTES} bytes)")
    try:
        return decode(raw)
    except MalformedTransaction as error:
        raise invalid_params(str(error)) from error


def _wire_form(options: Options) -> str:
    form = options.variant("encoding", transaction_view.TRANSACTION_ENCODINGS, "base58")
    if form in ("json", "jsonParsed"):
        raise RpcError(INVALID_PARAMS, f"unsupported encoding: {form}. Supported encodings: base58, base64")
    return "base58" if form == "binary" else form


def _send_transaction(node: Node, params: Params) -> Any:
    options = params.options(1)
    decoded = _decode_wire(params.string(0), _wire_form(options))
    retries = options.u64("maxRetries")
    slot = _context_slot(node, options, "preflightCommitment")
    if not options.boolean("skipPreflight"):
        _preflight(node, decoded, slot)
    submit(node, decoded, _DEFAULT_RETRIES if retries is None else retries)
    return base58.encode(decoded.signature)


def _context_slot(node: Node, options: Options, name: str) -> int:
    minimum = {"commitment": options.values.get(name), "minContextSlot": options.values.get("minContextSlot")}
    return node.slot(Options(minimum))


def submit(node: Node, decoded: Decoded, retries: int) -> None:
    """Queue a client's transaction, unless the network loses it."""
    if node.faults.happens(node.faults.config.drop_transactions):
        node.bank.lose(decoded, retries)
    else:
        node.bank.submit(decoded, retries, by_client=True)


def _preflight(node: Node, decoded: Decoded, slot: int) -> None:
    node.check_health()
    if not all(decoded.transaction.verify_with_results()):
        raise RpcError(SIGNATURE_VERIFICATION_FAILURE, "Transaction signature verification failure")
    refusal = node.bank.check(decoded, slot)
    if refusal is not None:
        simulation = Simulation(refusal, [], 0, None, [], {}, None)
    else:
        simulation = node.bank.simulate(decoded, slot, verify=False)
    if simulation.error is None:
        return
    data = {
        "accounts": None,
        "err": simulation.error,
        "innerInstructions": None,
        "logs": simulation.logs,
        "replacementBlockhash": None,
        "returnData": _returned(simulation),
        "unitsConsumed": simulation.compute_units,
    }
    text = transaction_error_text(simulation.error)
    raise RpcError(PREFLIGHT_FAILURE, f"Transaction simulation failed: {text}", data)


def _returned(simulation: Simulation) -> Any:
    returned = simulation.return_data
    return transaction_view.return_data(returned) if returned is not None else None


def _simulate_transaction(node: Node, params: Params) -> Any:
    options = params.options(1)
    decoded = _decode_wire(params.string(0), _wire_form(options))
    verify, replace = options.boolean("sigVerify"), options.boolean("replaceRecentBlockhash")
    wants_inner = options.boolean("innerInstructions")
    if verify and replace:
        raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
    slot = node.slot(options)
    shown_keys, shown_options = _simulation_accounts(options)
    if verify and not all(decoded.transaction.verify_with_results()):
        raise RpcError(SIGNATURE_VERIFICATION_FAILURE, "Transaction signature verification failure")
    refusal = None if replace else node.bank.check(decoded, slot)
    if refusal is not None:
        simulation = Simulation(refusal, [], 0, None, [], {}, None)
    else:
        simulation = node.bank.simulate(decoded, slot, verify=False)
    accounts = None
    if shown_keys is not None:
        accounts = []
        for key in shown_keys:
            account = simulation.accounts.get(key)
            if account is None and simulation.error is None:
                account = node.bank.account(key, slot)
            accounts.append(account_view(node, account, shown_options))
    replacement = None
    if replace:
        blockhash, last_valid = node.bank.chain.latest_blockhash(slot)
        text = base58.encode(blockhash)
        replacement = {"blockhash": text, "lastValidBlockHeight": last_valid}
    inner = None
    if wants_inner and simulation.loaded is not None:
        names = [str(key) for key in simulation.loaded.keys]
        inner = transaction_view.inner(simulation.inner, "jsonParsed", names)
    value = {
        "accounts": accounts,
        "err": simulation.error,
        "innerInstructions": inner,
        "logs": simulation.logs,
        "replacementBlockhash": replacement,
        "returnData": _returned(simulation),
        "unitsConsumed": simulation.compute_units,
    }
    return with_context(slot, value)


def _simulation_accounts(options: Options) -> tuple[list[Pubkey] | None, Options]:
    wanted = options.values.get("accounts")
    if wanted is None:
        return None, options
    if not isinstance(wanted, dict):
        raise wrong_type(wanted, "struct RpcSimulateTransactionAccountsConfig")
    nested = Options(wanted)
    addresses = wanted.get("addresses")
    if not isinstance(addresses, list):
        raise wrong_type(addresses, "a sequence")
    if wanted.get("encoding") in ("binary", "base58"):
        raise invalid_params("base58 encoding not supported")
    nested.view("base64")
    keys = [parse_pubkey(text) if isinstance(text, str) else _not_text(text) for text in addresses]
    return keys, nested


def _not_text(value: Any) -> Pubkey:
    raise wrong_type(value, "a string")


def _request_airdrop(node: Node, params: Params) -> Any:
    recipient, lamports = params.pubkey(0), params.u64(1)
    options = params.options(2)
    options.commitment()
    limit = node.config.airdrop_limit_sol * _LAMPORTS_PER_SOL
    if lamports > limit:
        raise invalid_params(f"Invalid param: airdrops are limited to {limit} lamports")
    decoded = node.faucet.airdrop(node.bank, recipient, lamports)
    submit(node, decoded, _DEFAULT_RETRIES)
    return base58.encode(decoded.signature)


def _get_signature_statuses(node: Node, params: Params) -> Any:
    signatures = [parse_signature(text) for text in params.strings(0, _MAX_STATUSES)]
    options = params.options(1)
    search = options.boolean("searchTransactionHistory")
    value = [status(node, signature, search=search) for signature in signatures]
    return with_context(node.bank.chain.slot, value)


def status(node: Node, signature: bytes, *, search: bool) -> dict[str, Any] | None:
    """The status of a signature, or None when it is not known."""
    ledger = node.bank.ledger
    location: Location | None = ledger.locations.get(signature)
    if location is None and search:
        ledger.read(signature)
        location = ledger.locations.get(signature)
    if location is None:
        return None
    error = None
    if location.failed:
        record = ledger.read(signature)
        error = record.error if record is not None else None
    confirmation = node.bank.chain.commitment_of(location.slot)
    confirmations = None
    if confirmation != "finalized":
        confirmations = sum(1 for info in node.bank.recent if info.info.slot > location.slot)
    return {
        "slot": location.slot,
        "confirmations": confirmations,
        "err": error,
        "status": {"Ok": None} if error is None else {"Err": error},
        "confirmationStatus": confirmation,
    }


def _get_transaction(node: Node, params: Params) -> Any:
    signature = parse_signature(params.string(0))
    if params.has(1) and isinstance(params.values[1], str):
        options = Options({"encoding": params.values[1]})
    else:
        options = params.options(1)
    newest = _history_slot(node, options)
    form = options.variant("encoding", transaction_view.TRANSACTION_ENCODINGS, "json")
    max_version = options.u64("maxSupportedTransactionVersion")
    record = node.bank.ledger.read(signature)
    if record is None or record.slot > newest:
        return None
    shown = transaction_view.transaction(record, form, max_version)
    return {"slot": record.slot, **shown, "blockTime": record.block_time}


def _history_slot(node: Node, options: Options) -> int:
    if options.commitment() == "processed":
        raise invalid_params("Method does not support commitment below `confirmed`")
    return node.slot(options)


def _get_signatures_for_address(node: Node, params: Params) -> Any:
    address, options = params.pubkey(0), params.options(1)
    newest = _history_slot(node, options)
    limit = options.u64("limit")
    limit = _MAX_SIGNATURES if limit is None else limit
    if not 1 <= limit <= _MAX_SIGNATURES:
        raise invalid_params(f"Invalid limit; max {_MAX_SIGNATURES}")
    before, until = options.string("before"), options.string("until")
    start = parse_signature(before) if before is not None else None
    stop = parse_signature(until) if until is not None else None
    found: list[dict[str, Any]] = []
    for signature, record in node.bank.ledger.signatures_for(bytes(address)):
        if signature == stop or len(found) == limit:
            break
        if start is not None:
            if signature == start:
                start = None
            continue
        if record.slot <= newest:
            found.append(
                {
                    "signature": base58.encode(signature),
                    "slot": record.slot,
                    "err": record.error,
                    "memo": None,
                    "blockTime": record.block_time,
                    "confirmationStatus": node.bank.chain.commitment_of(record.slot),
                }
            )
    return found


METHODS: Methods = {
    "sendTransaction": (_send_transaction, 1, 2),
    "simulateTransaction": (_simulate_transaction, 1, 2),
    "requestAirdrop": (_request_airdrop, 2, 3),
    "getSignatureStatuses": (_get_signature_statuses, 1, 2),
    "getTransaction": (_get_transaction, 1, 2),
    "getSignaturesForAddress": (_get_signatures_for_address, 1, 2),
}
