"""Why orders reverted: what is asked of the chain, when, and what is said if it does not tell."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.signature import Signature

from ipc._core import lib
from sniperforge import exits, requote
from sniperforge.journal import cli
from sniperforge.revert_watch import RevertWatch
from sniperforge.reverts import MOVED, UNEXPLAINED, UNKNOWN, Causes, Revert
from sniperforge.rpc import RpcClient
from tests.journal_files import JournalFiles, order_number
from tests.unit.rpc_node import RawNode, Refusal, json_node

TOLD, FORGOTTEN, EARLIER = (bytes([n]) * 64 for n in (1, 2, 3))


def answer(method: str, params: list[Any]) -> Any:
    """A simnet that still knows one failure, of an instruction that is no swap."""
    if params[0] != str(Signature.from_bytes(TOLD)):
        return None
    if method == "simnetFailure":
        return {"slot": 7, "unixTimestamp": 1, "accounts": {}}
    if method == "getTransaction":
        message = {
            "accountKeys": ["11111111111111111111111111111111"],
            "instructions": [{"programIdIndex": 0, "accounts": []}],
        }
        meta = {"err": {"InstructionError": [0, {"Custom": 1}]}, "logMessages": ["Program log: no"]}
        return {"transaction": {"message": message}, "meta": meta}
    raise Refusal(-32601, "Method not found")


@pytest.fixture
def node() -> Iterator[RawNode]:
    with json_node(answer) as node:
        yield node


def write(directory: Path) -> JournalFiles:
    """Run 2: one revert that is told, one that is forgotten, one of run 1, which is gone; one landed."""
    journal = JournalFiles(directory, 2)
    for number, signature in (
        (order_number(2, 1), TOLD),
        (order_number(2, 2), FORGOTTEN),
        (order_number(1, 9), EARLIER),
    ):
        journal.order(number)
        journal.fill(number, outcome=lib.SF_FILL_REVERTED, signature=signature)
    journal.fill(order_number(2, 3))
    journal.commit()
    return journal


def test_every_revert_has_a_cause_or_is_unknown(tmp_path: Path, node: RawNode) -> None:
    write(tmp_path)
    with RpcClient(node.url, timeout_ms=20_000) as rpc:
        causes = {one.order: one.cause for one in requote.explain(rpc, tmp_path, 2)}
        assert causes == {order_number(2, 1): UNEXPLAINED, order_number(2, 2): UNKNOWN, order_number(1, 9): UNKNOWN}
        (one,) = requote.explain(rpc, tmp_path, 2, [order_number(2, 1)])
    assert (one.cause, one.log) == (UNEXPLAINED, "Program log: no")


@pytest.mark.parametrize(
    ("orders", "code", "said"),
    [
        (["2"], exits.FAILED, "1 of 1 reverts are not explained"),
        (["1"], exits.DIFFERENT, ""),
        (["1", "2"], exits.DIFFERENT, "1 of 2 reverts are not explained"),
        (["3"], exits.FAILED, "order 3 of run 2 did not revert"),
        ([], exits.DIFFERENT, "2 of 3 reverts are not explained"),
    ],
)
def test_why_says_by_its_exit_code_that_not_all_is_explained(
    tmp_path: Path, node: RawNode, capsys: pytest.CaptureFixture[str], orders: list[str], code: int, said: str
) -> None:
    write(tmp_path)
    options = [text for order in orders for text in ("--order", order)]
    assert cli.main(["why", str(tmp_path), "--set", f'chain.url="{node.url}"', *options]) == code
    told = capsys.readouterr()
    assert said in told.err and bool(said) == bool(told.err)
    assert ("NOT ALL EXPLAINED" in told.out) == ("reverts are" in said)


def test_the_watch_asks_while_orders_revert(tmp_path: Path, node: RawNode) -> None:
    watch = RevertWatch(RpcClient(node.url, timeout_ms=20_000), tmp_path, 2)
    watch.start()  # before the journal is there
    journal = write(tmp_path)
    deadline = time.monotonic() + 30
    while len(node.requests) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    journal.order(order_number(2, 4))
    journal.fill(order_number(2, 4), outcome=lib.SF_FILL_REVERTED, signature=TOLD)
    journal.commit()
    with RpcClient(node.url, timeout_ms=20_000) as rpc:
        reverted = watch.end(rpc, 30.0)
    watch.close()
    assert reverted.counts == {MOVED: 0, UNEXPLAINED: 2, UNKNOWN: 2}
    assert [one.order for one in reverted.unexplained] == [order_number(2, 1), order_number(2, 4)]


def test_the_watch_ends_though_its_node_hangs(tmp_path: Path, node: RawNode) -> None:
    write(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent, RpcClient(node.url, timeout_ms=20_000) as rpc:
        watch = RevertWatch(RpcClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_ms=600_000), tmp_path, 2)
        watch.start()
        connection, _ = silent.accept()
        begun = time.monotonic()
        reverted = watch.end(rpc, 30.0)
        connection.close()
    watch.close()
    assert reverted.counts == {MOVED: 0, UNEXPLAINED: 1, UNKNOWN: 2} and time.monotonic() - begun < 60


def test_of_what_is_our_fault_a_hundred_are_kept() -> None:
    one = Revert(order=1, bot=1, signature="s", slot=7, error=1, venues=(), cause=UNEXPLAINED)
    causes = Causes([one] * 99)
    causes.add([one] * 2)
    assert causes.counts[UNEXPLAINED] == 101 and len(causes.unexplained) == 100
