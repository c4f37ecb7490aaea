"""Answers to bad input: the right code and Agave's wording, and never a crash."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from tests.integration.simnet_chain import SOL, SteppedChain, pay, stepped
from tests.integration.simnet_process import RpcFailure, simnet

FUZZ_INPUTS = 10_000
KEY = str(Pubkey.from_string("So11111111111111111111111111111111111111112"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SteppedChain]:
    small = {"enabled": True, "venues": ["raydium_cpmm"], "pools": 3, "mints": 3, "traders": 2}
    with stepped(tmp_path_factory.mktemp("rpc") / "ledger", market=small) as chain:
        chain.slots(40)
        yield chain


def raw(chain: SteppedChain, body: bytes) -> Any:
    """The decoded answer to a raw body, None when there is none."""
    text = chain.simnet.dispatcher.handle(body)
    return None if text is None else json.loads(text)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"", -32700, "Parse error"),
        (b"{", -32700, "Parse error"),
        (b'{"jsonrpc":"2.0","method":"getSlot","id":\xff}', -32700, "Parse error"),
        (b"[" * 100_000, -32700, "Parse error"),
        (b"5", -32600, "Invalid request"),
        (b"[]", -32600, "Invalid request"),
        (b'{"id":1}', -32600, "Invalid request"),
        (b'{"jsonrpc":"1.0","method":"getSlot","id":1}', -32600, "Unsupported JSON-RPC protocol version"),
        (b'{"jsonrpc":"2.0","method":"getSlot","params":5,"id":1}', -32600, "Invalid request"),
        (b'{"jsonrpc":"2.0","method":"getNothing","id":1}', -32601, "Method not found"),
        (b'{"jsonrpc":"2.0","method":"accountSubscribe","id":1}', -32601, "Method not found"),
    ],
)
def test_requests_that_are_none(chain: SteppedChain, body: bytes, code: int, message: str) -> None:
    answer = raw(chain, body)
    assert answer["error"] == {"code": code, "message": message}
    assert answer["jsonrpc"] == "2.0" and "id" in answer


def test_batches_and_notifications(chain: SteppedChain) -> None:
    one = {"jsonrpc": "2.0", "method": "getHealth", "id": "a"}
    batch = [one, 7, {"jsonrpc": "2.0", "method": "getHealth"}, {**one, "method": "nope", "id": 2}]
    answers = raw(chain, json.dumps(batch).encode())
    assert [answer.get("id") for answer in answers] == ["a", None, 2]
    assert answers[0]["result"] == "ok"
    assert [answers[1]["error"]["code"], answers[2]["error"]["code"]] == [-32600, -32601]
    assert raw(chain, b'{"jsonrpc":"2.0","method":"getHealth"}') is None


@pytest.mark.parametrize(
    ("method", "params", "code", "message"),
    [
        ("getBalance", [], -32602, "`params` should have at least 1 argument(s)"),
        ("getBalance", [KEY, {}, 1], -32602, "Expected from 1 to 2 parameters."),
        ("getBalance", [5], -32602, "Invalid params: invalid type: integer `5`, expected a string."),
        ("getBalance", ["abc"], -32602, "Invalid param: WrongSize"),
        ("getBalance", ["O" * 40], -32602, "Invalid param: Invalid"),
        (
            "getBalance",
            [KEY, {"commitment": "maybe"}],
            -32602,
            "Invalid params: unknown variant `maybe`, expected one of `processed`, `confirmed`, `finalized`.",
        ),
        ("getHealth", [1], -32602, "No parameters were expected"),
        ("getSlot", [{"minContextSlot": 10**9}], -32016, "Minimum context slot has not been reached"),
        ("getSlot", [{"minContextSlot": -1}], -32602, "Invalid params: invalid value: integer `-1`, expected u64."),
        ("getMultipleAccounts", [[KEY] * 101], -32602, "Too many inputs provided; max 100"),
        ("getSignatureStatuses", [[str(Signature.default())] * 257], -32602, "Too many inputs provided; max 256"),
        ("getTokenAccountBalance", [KEY], -32602, "Invalid param: not a Token account"),
        ("getTokenAccountBalance", [str(Pubkey([7] * 32))], -32602, "Invalid param: could not find account"),
        ("getTokenSupply", [str(Pubkey.default())], -32602, "Invalid param: not a Token mint"),
        (
            "getTokenAccountsByOwner",
            [KEY, {"mint": str(Pubkey([7] * 32))}],
            -32602,
            "Invalid param: could not find mint",
        ),
        (
            "getTokenAccountsByOwner",
            [KEY, {"programId": KEY}],
            -32602,
            "Invalid param: unrecognized Token program id",
        ),
        ("getBlockTime", [10**9], -32004, "Block not available for slot 1000000000"),
        (
            "getTransaction",
            [str(Signature.default()), {"commitment": "processed"}],
            -32602,
            "Method does not support commitment below `confirmed`",
        ),
        ("sendTransaction", ["!"], -32602, "invalid base58 encoding: InvalidCharacter { character: '!', index: 0 }"),
        ("sendTransaction", ["*", {"encoding": "base64"}], -32602, "invalid base64 encoding: InvalidByte(0, 42)"),
        (
            "sendTransaction",
            ["A" * 1645, {"encoding": "base64"}],
            -32602,
            "base64 encoded solana_transaction::versioned::VersionedTransaction too large:"
            " 1645 bytes (max: encoded/raw 1644/1232)",
        ),
        ("requestAirdrop", [KEY, 2**63], -32602, "Invalid param: airdrops are limited to 1000000000000000 lamports"),
        ("simnetSetFaults", [{"latency": 5}], -32602, "Invalid params: simnet.faults.latency is not a key"),
        ("simnetSetFaults", [{"drop_transactions": 2.0}], -32602, "Invalid params: simnet.faults.drop_transactions"),
        ("simnetMintTo", [str(Pubkey.default()), KEY, 5], -32602, "Invalid param: not an SPL Token mint"),
    ],
)
def test_bad_parameters(chain: SteppedChain, method: str, params: list[Any], code: int, message: str) -> None:
    with pytest.raises(RpcFailure) as failure:
        chain.call(method, *params)
    assert failure.value.code == code
    assert failure.value.message.startswith(message)


def test_versioned_transactions_need_a_client_that_knows_them(chain: SteppedChain) -> None:
    wallet = chain.funded()
    signature = chain.send(chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), SOL)]))
    chain.slots(4)
    with pytest.raises(RpcFailure, match="maxSupportedTransactionVersion") as failure:
        chain.call("getTransaction", signature, {"commitment": "confirmed"})
    assert failure.value.code == -32015


def test_base58_of_much_data_is_refused_and_slices_help(chain: SteppedChain) -> None:
    pool = chain.call("simnetMarket")["pools"][0]["address"]
    processed = {"commitment": "processed"}
    with pytest.raises(RpcFailure, match="less than 128 bytes") as failure:
        chain.call("getAccountInfo", pool, processed)
    assert failure.value.code == -32600
    part = {**processed, "encoding": "base58", "dataSlice": {"offset": 0, "length": 8}}
    assert chain.call("getAccountInfo", pool, part)["value"]["data"][1] == "base58"
    whole = chain.call("getAccountInfo", pool, {**processed, "encoding": "base64"})["value"]
    data = base64.b64decode(whole["data"][0])
    assert len(data) == whole["space"] == 637
    packed = chain.call("getAccountInfo", pool, {**processed, "encoding": "base64+zstd"})["value"]["data"]
    frame = base64.b64decode(packed[0])
    assert packed[1] == "base64+zstd" and frame[:4] == bytes.fromhex("28b52ffd") and data in frame


def test_program_accounts_are_filtered(chain: SteppedChain) -> None:
    market = chain.call("simnetMarket")
    program = next(iter(chain.simnet.emulated))
    mint = market["mints"][market["pools"][0]["mints"][0]]["address"]
    filters: list[Any] = [{"dataSize": 637}, {"memcmp": {"offset": 168, "bytes": mint}}]
    found = chain.call("getProgramAccounts", str(program), {"encoding": "base64", "filters": filters})
    assert market["pools"][0]["address"] in [each["pubkey"] for each in found]
    filters[1]["memcmp"] = {"offset": 0, "bytes": base64.b64encode(b"nonsense").decode(), "encoding": "base64"}
    options = {"encoding": "base64", "filters": filters, "withContext": True}
    assert chain.call("getProgramAccounts", str(program), options)["value"] == []
    with pytest.raises(RpcFailure, match="Too many filters provided; max 4"):
        chain.call("getProgramAccounts", str(program), {"filters": [{"dataSize": 1}] * 5})


def _noise(dice: random.Random, depth: int = 0) -> Any:
    texts = ["", KEY, "finalized", "base64", "x" * 100, "é", str(Signature.default()), "\0", "1" * 44]
    plain: list[Any] = [None, True, False, 0, 1, -1, 2**63, 2**64, 10**30, 0.5, 1e300, *texts]
    if depth > 3 or dice.random() < 0.6:
        return dice.choice(plain)
    if dice.random() < 0.5:
        return [_noise(dice, depth + 1) for _ in range(dice.randrange(4))]
    names = ["commitment", "encoding", "filters", "memcmp", "dataSize", "dataSlice", "offset", "length", "bytes"]
    names += [
        "minContextSlot",
        "mint",
        "programId",
        "accounts",
        "addresses",
        "limit",
        "before",
        "mentions",
        "maxRetries",
    ]
    return {dice.choice(names): _noise(dice, depth + 1) for _ in range(dice.randrange(4))}


def _malformed(dice: random.Random, methods: list[str], transaction: bytes) -> bytes:
    kind = dice.randrange(6)
    if kind == 0:
        return dice.randbytes(dice.randrange(200))
    method = dice.choice([*methods, "".join(dice.choices(string.printable, k=8))])
    params: Any = [_noise(dice) for _ in range(dice.randrange(4))]
    if kind == 1:
        params = _noise(dice)
    if kind == 2:
        params = [KEY, *params]
    if kind == 3:
        method = dice.choice(["sendTransaction", "simulateTransaction"])
        changed = bytearray(transaction)
        for _ in range(dice.randrange(1, 8)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        text = base64.b64encode(bytes(changed[: dice.randrange(1, len(changed) + 1)])).decode()
        params = [text, {"encoding": "base64", "skipPreflight": dice.random() < 0.5, "commitment": "processed"}]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    if kind == 4:
        cut = bytearray(body)
        cut[dice.randrange(len(cut))] = dice.randrange(256)
        return bytes(cut[: dice.randrange(1, len(cut) + 1)])
    if kind == 5:
        return b"[" + body + b"," + body + b"]"
    return body


def test_malformed_inputs_get_a_clear_answer_each(chain: SteppedChain) -> None:
    dice = random.Random(20_260_101)
    wallet = chain.funded()
    transaction = bytes(chain.sign(wallet, [pay(wallet, Pubkey.new_unique(), SOL)]))
    methods = [name for name in chain.simnet.dispatcher._methods if name != "simnetSetFaults"]
    for _ in range(FUZZ_INPUTS):
        body = _malformed(dice, methods, transaction)
        text = chain.simnet.dispatcher.handle(body)
        for answer in [] if text is None else [json.loads(text)] if text[:1] == b"{" else json.loads(text):
            assert ("result" in answer) != ("error" in answer)
            if "error" in answer:
                assert answer["error"]["message"] and answer["error"]["code"] != -32603, (body, answer)
        if dice.random() < 0.05:
            chain.bank.tick()
    chain.slots(3)
    assert chain.simnet.node.counters["internal_errors"] == 0


def test_http_answers(tmp_path: Path) -> None:
    import http.client

    with simnet(tmp_path, "--no-market") as process:
        host, port = process.rpc_url.removeprefix("http://").split(":")

        def ask(method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(host, int(port), timeout=30)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            found = answer.status, answer.read()
            connection.close()
            return found

        kind = {"Content-Type": "application/json"}
        assert ask("GET", "/health", None, {}) == (200, b"ok")
        assert ask("GET", "/", None, {})[0] == 405
        assert ask("OPTIONS", "/", None, {})[0] == 200
        assert ask("POST", "/", b"{}", {"Content-Type": "text/plain"})[0] == 415
        assert ask("POST", "/", b" " * 60_000, kind)[0] == 413
        assert ask("POST", "/", b'{"jsonrpc":"2.0","id":1,"method":"getHealth"}', kind)[1] == (
            b'{"jsonrpc":"2.0","result":"ok","id":1}'
        )
        process.call("simnetSetFaults", {"too_many_requests": 1.0})
        assert ask("POST", "/", b"{}", kind)[0] == 429
        assert process.stop() == 0
