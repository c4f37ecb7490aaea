"""Reverts explained while the journal grows, and from the whole journal afterwards: the same, and what a plain search
through every market message says."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from ipc._core import ffi, lib
from ipc.errors import check
from sniperforge.journal import Reader
from sniperforge.journal.history import KINDS, History
from sniperforge.requote import Explainer, explain
from sniperforge.reverts import MOVED, UNEXPLAINED, UNKNOWN, Revert
from sniperforge.rpc import RpcUnavailable
from sniperforge.simnet import cpmm_accounts as cpmm
from sniperforge.venues.store import PoolStore
from tests.journal_files import JournalFiles, order_number
from tests.replay.recorder import Market

POOLS = 6
QUIET = POOLS - 1
"""A pool whose only message is the first of each run."""
AMOUNT = 1_000_000_000
ACCOUNT = ffi.sizeof("sf_raw_account_t")


def signature(number: int) -> bytes:
    return number.to_bytes(8, "little") * 8


def shown(raw: bytes) -> tuple[str, dict[str, Any]]:
    """The address of an account message, and the account as a node shows it."""
    head = ffi.from_buffer("sf_raw_account_t *", raw)
    data = [base64.b64encode(raw[ACCOUNT:]).decode(), "base64"]
    owner = str(Pubkey.from_bytes(bytes(head.owner)))
    account = {"owner": owner, "lamports": 1, "data": data, "executable": False, "rentEpoch": 0}
    return str(Pubkey.from_bytes(bytes(head.pubkey))), account


def quote(payload: bytes) -> int:
    got: Any = ffi.new("sf_quote_t *")
    check(lib.ipc_pool_quote(payload, len(payload), 1, 1, AMOUNT, got))
    return int(got.amount_out)


@dataclass
class Said:
    """What has to be found out about an order."""

    order: int
    hops: list[int]
    failed: int
    seq: int
    run: int
    cause: str = UNKNOWN
    quoted: int = 0
    found: int = 0


class World:
    """A market, the journals of two runs over it, and a chain that knows what transactions found."""

    def __init__(self, directory: Path, rng: random.Random, segment_blocks: int) -> None:
        self.rng = rng
        self.market = Market(rng, POOLS, mints=4)
        self.directory = directory
        self.segment_blocks = segment_blocks
        self.failures: dict[str, dict[str, Any]] = {}
        self.transactions: dict[str, dict[str, Any]] = {}
        self.messages: dict[int, list[tuple[int, int, bytes]]] = {1: [], 2: []}
        self.open: list[Said] = []
        self.due: list[Said] = []
        self.away = 0.0
        """How often the chain does not answer."""
        self._made = 0
        self.begin(1)

    def begin(self, run: int) -> None:
        self.journal = JournalFiles(self.directory, run, self.segment_blocks)
        for pool in range(POOLS):
            self.moves(pool)
        self.journal.commit()

    def moves(self, pool: int) -> None:
        """A trade, and the market message about it."""
        for side in range(2):
            self.market.reserves[pool][side] += self.rng.randrange(10**9)
        with PoolStore(pools=POOLS, mints=8) as store:
            store.time(1)
            for raw in self.market.snapshot():
                head = ffi.from_buffer("sf_raw_account_t *", raw)
                store.account(bytes(head.pubkey), bytes(head.owner), raw[ACCOUNT:], slot=100)
            store.slot(101)
            payload = store.payloads()[bytes(self.market.keys[pool].pool)]
        seq = self.journal.add("market", lib.SF_MSG_POOL, payload, tag=pool)
        self.messages[self.journal.run].append((seq, pool, payload))

    def orders(self) -> None:
        """An order over two pools, decided on a message some way back."""
        self._made += 1
        messages = self.messages[self.journal.run]
        seq = max(messages[-self.rng.randrange(1, 4)][0], POOLS - 1)
        hops = self.rng.sample(range(POOLS), 2)
        said = Said(order_number(self.journal.run, self._made), hops, self.rng.randrange(2), seq, self.journal.run)
        said.quoted = self.quoted(said)
        hop = [
            {"pool": pool, "a_to_b": 1, "amount_in": AMOUNT, "min_out": said.quoted, "venue": lib.SF_VENUE_RAYDIUM_CPMM}
            for pool in hops
        ]
        self.journal.order(said.order, market_seq=seq, hop=hop, hop_cnt=2)
        self.open.append(said)

    def quoted(self, said: Said) -> int:
        """The plain search."""
        messages = self.messages[said.run]
        pool = said.hops[said.failed]
        return quote([payload for seq, about, payload in messages if about == pool and seq <= said.seq][-1])

    def reverts(self, said: Said, *, told: bool) -> None:
        """Its transaction fails on the state of now; the chain forgets it at once unless it is to be `told`."""
        self.open.remove(said)
        self.journal.fill(said.order, outcome=lib.SF_FILL_REVERTED, signature=signature(said.order), error=6005)
        self.due.append(said)
        if not told:
            said.quoted = 0
            return
        text = str(Signature.from_bytes(signature(said.order)))
        accounts = dict(map(shown, self.market.snapshot()))
        keys = self.market.keys[said.hops[said.failed]]
        named = [str(key) for key in (cpmm.PROGRAM_ID, keys.pool, *keys.vaults)]
        self.failures[text] = {"slot": 100, "unixTimestamp": 1, "accounts": {key: accounts[key] for key in named[1:]}}
        swaps = [{"programIdIndex": 0, "accounts": [1, 2, 3]}] * 2
        meta = {"err": {"InstructionError": [said.failed, {"Custom": 6005}]}, "logMessages": ["Program log: no"]}
        message = {"accountKeys": named, "instructions": swaps}
        self.transactions[text] = {"transaction": {"message": message}, "meta": meta}
        pool = said.hops[said.failed]
        messages = [*self.messages[1], *self.messages[2]]
        said.found = quote([payload for _, about, payload in messages if about == pool][-1])
        said.cause = MOVED if said.found < said.quoted else UNEXPLAINED

    def call(self, method: str, *params: Any) -> Any:
        if self.rng.random() < self.away:
            raise RpcUnavailable("away")
        if method == "simnetFailure":
            return self.failures.get(params[0])
        if method == "getTransaction":
            return self.transactions.get(params[0])
        assert method == "getMultipleAccounts"
        accounts = dict(map(shown, self.market.snapshot()))
        return {"context": {"slot": 100}, "value": [accounts.get(key) for key in params[0]]}

    def batch(self, calls: list[tuple[str, list[Any]]]) -> list[Any]:
        return [self.call(method, *params) for method, params in calls]

    def check(self, explained: list[Revert]) -> None:
        """Holds what was found out against what has to be."""
        due = sorted(self.due, key=lambda said: said.order)
        assert [one.order for one in explained] == [said.order for said in due]
        for one, said in zip(explained, due, strict=True):
            assert (one.cause, one.quoted, one.found) == (said.cause, said.quoted, said.found)
            assert one.hop == (said.failed if said.cause != UNKNOWN else None)


@pytest.mark.parametrize("seed", range(6))
def test_reverts_are_explained_alike_while_the_journal_grows_and_afterwards(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    world = World(tmp_path, rng, segment_blocks=rng.choice((1, 3, 1000)))
    for _ in range(10):
        world.moves(rng.randrange(QUIET))
        world.orders()
        world.journal.commit()
    world.due.clear()
    rpc: Any = world
    explainer = Explainer(tmp_path, 2)
    world.begin(2)
    explained: list[Revert] = []
    for _ in range(60):
        for _ in range(rng.randrange(4)):
            world.moves(rng.randrange(QUIET))
        if rng.random() < 0.7:
            world.orders()
        while len(world.open) > 6 or (world.open and rng.random() < 0.3):
            said = rng.choice(world.open)
            if rng.random() < 0.3:
                world.open.remove(said)
                world.journal.fill(said.order)
            else:
                world.reverts(said, told=rng.random() < 0.8)
        if rng.random() < 0.8:
            world.journal.commit()
        if rng.random() < 0.5:  # the watch's step; the node may be away, the watch behind
            world.away = rng.choice((0.0, 0.2))
            explainer.read_on()
            try:
                explainer.ask(rpc)
            except RpcUnavailable:
                assert world.away
            explained += explainer.explained()
    world.journal.commit()
    world.away = 0.0
    explainer.read_on()
    explainer.ask(rpc)
    explained += explainer.explained(ended=True)
    explainer.close()
    assert {MOVED, UNKNOWN} <= {said.cause for said in world.due} and {said.run for said in world.due} == {1, 2}
    afterwards = explain(rpc, tmp_path, 2)
    world.check(afterwards)
    assert sorted(explained, key=lambda one: one.order) == afterwards
    some = [said.order for said in world.due][::3]
    assert explain(rpc, tmp_path, 2, some) == [one for one in afterwards if one.order in some]


def test_what_the_journal_has_behind_the_fill_is_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path, random.Random(1), segment_blocks=1)
    rpc: Any = world
    explainer = Explainer(tmp_path, 1)
    said = Said(order_number(1, 1), [0, 1], 0, POOLS, 1)
    world.open.append(said)

    def step(*, ended: bool = False) -> list[Revert]:
        world.journal.commit()
        explainer.read_on()
        explainer.ask(rpc)
        return explainer.explained(ended=ended)

    world.reverts(said, told=True)
    assert step() == []
    hop = [{"pool": pool, "a_to_b": 1, "amount_in": AMOUNT, "venue": 1} for pool in said.hops]
    world.journal.order(said.order, market_seq=said.seq, hop=hop, hop_cnt=2)
    assert step() == []
    world.moves(0)
    (one,) = step()
    assert (one.order, one.quoted) == (said.order, world.quoted(said))
    assert step(ended=True) == []
    explainer.close()


def test_only_segments_are_read_that_may_hold_what_is_looked_for(tmp_path: Path) -> None:
    world = World(tmp_path, random.Random(1), segment_blocks=1)  # its messages are segment 0
    for number in range(1, 10):
        world.moves(0)
        if number == 5:
            world.orders()
        world.journal.commit()
    (said,) = world.open
    history = History(tmp_path, 1)
    with Reader(tmp_path, 1) as reader:
        for batch in reader.batches(KINDS):
            history.note(batch, reader.place)
    assert (history.last_order, history.last_seq) == (said.order, world.messages[1][-1][0])
    for number in (1, 2, 3, 4, 6, 7, 8, 9):
        world.journal.segment_path(number).unlink()
    assert history.intents([said.order])[said.order]["market_seq"] == said.seq
    assert history.intents([order_number(1, 99)]) == {}
    quiet, busy = (QUIET, said.seq), (0, POOLS + 4)
    messages = {(pool, seq): payload for seq, pool, payload in world.messages[1]}
    assert history.messages([quiet, busy]) == {quiet: messages[QUIET, QUIET], busy: messages[0, POOLS + 4]}
