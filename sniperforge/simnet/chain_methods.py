"""JSON-RPC methods on the chain: health, slots, epochs, blockhashes, blocks, fees."""

from __future__ import annotations

from typing import Any

from solders.hash import Hash
from solders.pubkey import Pubkey

from sniperforge import base58
from sniperforge.simnet import encoding, transaction_view
from sniperforge.simnet.errors import (
    BLOCK_NOT_AVAILABLE,
    INVALID_PARAMS,
    SLOT_NOT_IN_HISTORY,
    SLOT_SKIPPED,
    RpcError,
    invalid_params,
)
from sniperforge.simnet.ledger import BlockInfo
from sniperforge.simnet.params import Options, Params, parse_blockhash, parse_pubkey
from sniperforge.simnet.rpc import API_VERSION, FEATURE_SET, Methods, Node, with_context
from sniperforge.simnet.transactions import MalformedTransaction, message_fee

_MAX_BLOCKS = 500_000
_MAX_FEE_ACCOUNTS = 128


def _get_health(node: Node, params: Params) -> Any:
    node.check_health()
    return "ok"


def _get_version(node: Node, params: Params) -> Any:
    return {"feature-set": FEATURE_SET, "solana-core": API_VERSION}


def _get_identity(node: Node, params: Params) -> Any:
    return {"identity": node.identity}


def _get_genesis_hash(node: Node, params: Params) -> Any:
    return str(Hash.from_bytes(node.bank.chain.genesis_hash))


def _get_slot(node: Node, params: Params) -> Any:
    return node.slot(params.options(0))


def _info(node: Node, slot: int) -> BlockInfo:
    info = node.bank.block_info(slot)
    assert info is not None
    return info


def _get_block_height(node: Node, params: Params) -> Any:
    return _info(node, node.slot(params.options(0))).height


def _get_epoch_info(node: Node, params: Params) -> Any:
    info = _info(node, node.slot(params.options(0)))
    epoch, index = divmod(info.slot, node.config.slots_per_epoch)
    return {
        "absoluteSlot": info.slot,
        "blockHeight": info.height,
        "epoch": epoch,
        "slotIndex": index,
        "slotsInEpoch": node.config.slots_per_epoch,
        "transactionCount": node.bank.transactions,
    }


def _get_epoch_schedule(node: Node, params: Params) -> Any:
    slots = node.config.slots_per_epoch
    return {
        "firstNormalEpoch": 0,
        "firstNormalSlot": 0,
        "leaderScheduleSlotOffset": slots,
        "slotsPerEpoch": slots,
        "warmup": False,
    }


def _get_latest_blockhash(node: Node, params: Params) -> Any:
    slot = node.slot(params.options(0))
    blockhash, last_valid = node.bank.chain.latest_blockhash(slot)
    text = base58.encode(blockhash)
    return with_context(slot, {"blockhash": text, "lastValidBlockHeight": last_valid})


def _is_blockhash_valid(node: Node, params: Params) -> Any:
    blockhash = parse_blockhash(params.string(0))
    slot = node.slot(params.options(1))
    return with_context(slot, node.bank.chain.blockhash_valid(blockhash, slot))


def _get_fee_for_message(node: Node, params: Params) -> Any:
    text = params.string(0)
    try:
        blockhash, fee = message_fee(encoding.base64_decode(text))
    except encoding.EncodingError as error:
        raise invalid_params(f"invalid base64 encoding: {error}") from error
    except MalformedTransaction as error:
        raise invalid_params(str(error)) from error
    slot = node.slot(params.options(1))
    return with_context(slot, fee if node.bank.chain.blockhash_valid(bytes(blockhash), slot) else None)


def _get_recent_prioritization_fees(node: Node, params: Params) -> Any:
    keys: list[Pubkey] = []
    if params.has(0):
        keys = [parse_pubkey(text) for text in params.strings(0, _MAX_FEE_ACCOUNTS)]
    fees = node.bank.prioritization_fees(keys)
    return [{"slot": slot, "prioritizationFee": fee} for slot, fee in fees]


def _get_transaction_count(node: Node, params: Params) -> Any:
    node.slot(params.options(0))
    return node.bank.transactions


def _get_slot_leader(node: Node, params: Params) -> Any:
    node.slot(params.options(0))
    return node.identity


def _get_supply(node: Node, params: Params) -> Any:
    options = params.options(0)
    total = node.bank.capitalization
    supply = {"circulating": total, "nonCirculating": 0, "nonCirculatingAccounts": [], "total": total}
    return with_context(node.slot(options), supply)


def _get_minimum_balance_for_rent_exemption(node: Node, params: Params) -> Any:
    size = params.u64(0)
    params.options(1).commitment()
    if size > 10 * 1024 * 1024:
        raise RpcError(INVALID_PARAMS, f"Invalid param: {size} bytes are more than an account can hold")
    return node.bank.svm.minimum_balance_for_rent_exemption(size)


def _first_available(node: Node) -> int:
    while node.bank.ledger.scan_older():
        pass
    return min(node.bank.ledger.blocks, default=node.bank.chain.finalized)


def _get_first_available_block(node: Node, params: Params) -> Any:
    return _first_available(node)


def _get_block_time(node: Node, params: Params) -> Any:
    return _existing_block(node, params.u64(0), node.bank.chain.slot).time


def _existing_block(node: Node, slot: int, newest: int) -> BlockInfo:
    if slot > newest:
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    info = node.bank.block_info(slot)
    if info is not None:
        return info
    if slot < _first_available(node):
        raise RpcError(SLOT_NOT_IN_HISTORY, f"Slot {slot} was skipped, or missing in long-term storage")
    text = f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot"
    raise RpcError(SLOT_SKIPPED, text)


def _history_commitment(options: Options) -> str:
    commitment = options.commitment()
    if commitment == "processed":
        raise invalid_params("Method does not support commitment below `confirmed`")
    return commitment


def _get_block(node: Node, params: Params) -> Any:
    slot = params.u64(0)
    if params.has(1) and isinstance(params.values[1], str):
        options = Options({"encoding": params.values[1]})
    else:
        options = params.options(1)
    commitment = _history_commitment(options)
    form = options.variant("encoding", transaction_view.TRANSACTION_ENCODINGS, "json")
    levels = ("full", "accounts", "signatures", "none")
    details = options.variant("transactionDetails", levels, "full")
    max_version = options.u64("maxSupportedTransactionVersion")
    info = _existing_block(node, slot, node.bank.chain.slot_at(commitment))
    block: dict[str, Any] = {
        "blockHeight": info.height,
        "blockTime": info.time,
        "blockhash": base58.encode(node.bank.chain.blockhash(slot)),
        "parentSlot": info.parent,
        "previousBlockhash": base58.encode(node.bank.chain.blockhash(info.parent)),
    }
    signatures = node.bank.ledger.by_slot.get(slot, [])
    if details == "signatures":
        block["signatures"] = [base58.encode(signature) for signature in signatures]
    elif details != "none":
        transactions = []
        for signature in signatures:
            record = node.bank.ledger.read(signature)
            if record is not None:
                shown = transaction_view.transaction(
                    record, "jsonParsed" if details == "accounts" else form, max_version
                )
                if details == "accounts":
                    whole = shown["transaction"]
                    keys = whole["message"]["accountKeys"]
                    shown["transaction"] = {"signatures": whole["signatures"], "accountKeys": keys}
                transactions.append(shown)
        block["transactions"] = transactions
    if "rewards" not in options or options.boolean("rewards"):
        block["rewards"] = []
    return block


def _get_blocks(node: Node, params: Params) -> Any:
    start = params.u64(0)
    end_given = params.has(1) and not isinstance(params.values[1], dict)
    options = params.options(2 if end_given or len(params.values) > 2 else 1)
    newest = node.bank.chain.slot_at(_history_commitment(options))
    end = min(params.u64(1), newest) if end_given else newest
    if end - start > _MAX_BLOCKS:
        raise invalid_params(f"Slot range too large; max {_MAX_BLOCKS}")
    _first_available(node)
    return sorted(slot for slot in node.bank.ledger.blocks if start <= slot <= end)


METHODS: Methods = {
    "getHealth": (_get_health, 0, 0),
    "getVersion": (_get_version, 0, 0),
    "getIdentity": (_get_identity, 0, 0),
    "getGenesisHash": (_get_genesis_hash, 0, 0),
    "getSlot": (_get_slot, 0, 1),
    "getBlockHeight": (_get_block_height, 0, 1),
    "getEpochInfo": (_get_epoch_info, 0, 1),
    "getEpochSchedule": (_get_epoch_schedule, 0, 0),
    "getLatestBlockhash": (_get_latest_blockhash, 0, 1),
    "isBlockhashValid": (_is_blockhash_valid, 1, 2),
    "getFeeForMessage": (_get_fee_for_message, 1, 2),
    "getRecentPrioritizationFees": (_get_recent_prioritization_fees, 0, 1),
    "getTransactionCount": (_get_transaction_count, 0, 1),
    "getSlotLeader": (_get_slot_leader, 0, 1),
    "getSupply": (_get_supply, 0, 1),
    "getMinimumBalanceForRentExemption": (_get_minimum_balance_for_rent_exemption, 1, 2),
    "getFirstAvailableBlock": (_get_first_available_block, 0, 0),
    "minimumLedgerSlot": (_get_first_available_block, 0, 0),
    "getBlockTime": (_get_block_time, 1, 1),
    "getBlock": (_get_block, 1, 2),
    "getBlocks": (_get_blocks, 1, 3),
}
