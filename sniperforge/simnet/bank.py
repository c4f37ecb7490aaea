"""The bank: one fork of a local Solana, executing on LiteSVM.

The bank keeps what LiteSVM does not: slots and block heights, blockhashes that expire, the queue of transactions
ordered by priority fee per compute unit, the status of executed transactions, and the account versions that give
`confirmed` and `finalized` reads their meaning.  Whatever it executes is in the ledger before anyone can see it.

It is single-threaded and reads no clock: `advance` begins a block, `tick` executes what is queued.
"""

from __future__ import annotations

import hashlib
import operator
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction_metadata import (
    FailedTransactionMetadata,
    SimulatedTransactionInfo,
    TransactionMetadata,
)

from sniperforge.simnet.chain import SLOT_HASHES, Chain
from sniperforge.simnet.config import SimnetConfig
from sniperforge.simnet.errors import TransactionErrorJson
from sniperforge.simnet.failures import Failures
from sniperforge.simnet.ledger import BlockInfo, Ledger, State, StoredAccount
from sniperforge.simnet.transactions import (
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    Decoded,
    Loaded,
    Record,
    inner_instructions,
    load_addresses,
    token_balances,
)

_NATIVE_LOADER = Pubkey.from_string("NativeLoader1111111111111111111111111111111")
_SYSVAR_OWNER = Pubkey.from_string("Sysvar1111111111111111111111111111111111111")
_CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
_NONCE_CYCLE = 1 << 12
_RETRY_SLOTS = 5
_FEE_BLOCKS = 150

Changed = dict[Pubkey, Account | None]


@dataclass(slots=True)
class Block:
    """A block of the recent chain: what executed in it and the last state of each account it wrote."""

    info: BlockInfo
    executed: list[tuple[bytes, Record]] = field(default_factory=list)
    changed: Changed = field(default_factory=dict)
    compute_units: int = 0


@dataclass(slots=True)
class Queued:
    """A transaction waiting for execution; `retries` is how often the node still re-sends it when it is lost."""

    decoded: Decoded
    retries: int
    not_before_slot: int
    by_client: bool


@dataclass(slots=True)
class Simulation:
    """What a transaction would do; `accounts` holds the writable accounts afterwards (empty when it failed)."""

    error: TransactionErrorJson | None
    logs: list[str]
    compute_units: int
    return_data: tuple[bytes, bytes] | None
    inner: list[tuple[int, list[Any]]]
    accounts: Changed
    loaded: Loaded | None


class Listener(Protocol):
    """Who wants to hear of the chain.  Called after the ledger has it."""

    def executed(self, slot: int, executed: Sequence[tuple[bytes, Record]], changed: Changed) -> None:
        """A batch executed at commitment `processed`."""

    def advanced(self, block: BlockInfo, root: int) -> None:
        """A block began; `root` is the newest finalized slot."""

    def committed(self, commitment: str, block: Block) -> None:
        """A block reached `confirmed` or `finalized`."""


class Bank:
    """See the module's text.  `ledger` must be open."""

    def __init__(
        self, config: SimnetConfig, ledger: Ledger, genesis_hash: bytes, genesis_time: int, first_slot: int = 0
    ) -> None:
        self.config = config
        self.ledger = ledger
        self.chain = Chain(config, genesis_hash, genesis_time, first_slot)
        self.svm = LiteSVM().with_blockhash_check(False).with_transaction_history(0)
        self.recent: deque[Block] = deque()
        self.fees: deque[tuple[int, list[int], dict[Pubkey, int]]] = deque(maxlen=_FEE_BLOCKS)
        self.transactions = 0
        self.capitalization = 0
        self.dropped: dict[str, int] = {}
        self.listeners: list[Listener] = []
        self.failures = Failures()
        self._versions: dict[Pubkey, list[tuple[int, Account | None]]] = {}
        self._known: set[Pubkey] = set()
        self._queue: dict[bytes, Queued] = {}
        self._decimals: dict[Pubkey, int] = {}

    # beginning

    def add_program(self, program: Pubkey, elf: bytes) -> None:
        """Load an SBF program; it is not part of the ledger and must be loaded at every start."""
        self.svm.add_program(program, elf)

    def begin(self, accounts: Iterable[tuple[Pubkey, Account]]) -> State:
        """Make `accounts` the genesis state and return it for the ledger."""
        stored = [StoredAccount.of(key, 0, account) for key, account in accounts]
        self.capitalization = sum(account.state[0] for account in stored if account.state is not None)
        first = self.chain.first_slot
        state = State([BlockInfo(first, 0, first, self.chain.genesis_time)], stored, self.capitalization, 0)
        self.restore(state)
        return state

    def restore(self, state: State) -> None:
        """Take over the state that the ledger kept."""
        self.capitalization, self.transactions = state.capitalization, state.transactions
        for info in state.blocks:
            self.chain.append(info)
        for info in list(self.chain.blocks)[-self.config.finalized_after_slots - 1 :]:
            self.recent.append(Block(info, self.ledger.executed(info.slot)))
        for _ in range(self.chain.height % _NONCE_CYCLE):
            self.svm.expire_blockhash()
        versions: dict[bytes, list[StoredAccount]] = {}
        for stored in state.accounts:
            versions.setdefault(stored.key, []).append(stored)
        executables = []
        blocks = {block.info.slot: block for block in self.recent}
        for raw, list_of in versions.items():
            key = Pubkey.from_bytes(raw)
            self._known.add(key)
            account = list_of[-1].account()
            if account is not None and account.executable:
                executables.append((key, account))
            else:
                self._set(key, account)
            if list_of[-1].slot <= self.chain.finalized:
                continue
            if list_of[0].slot > self.chain.finalized:
                self._add_version(key, -1, None)
            for stored in list_of:
                self._add_version(key, stored.slot, stored.account())
                if stored.slot in blocks:
                    blocks[stored.slot].changed[key] = stored.account()
            self._prune_versions(key)
        for key, account in executables:
            self._set(key, account)
        self._set_sysvars()

    def state(self) -> State:
        """Everything a restart needs, for a snapshot."""
        accounts = []
        for key in self._known:
            versions = self._versions.get(key) or [(0, self.svm.get_account(key))]
            accounts += [StoredAccount.of(key, max(slot, 0), account) for slot, account in versions]
        accounts = [account for account in accounts if account.slot or account.state is not None]
        return State(list(self.chain.blocks), accounts, self.capitalization, self.transactions)

    # the chain

    def block_info(self, slot: int) -> BlockInfo | None:
        """The block of `slot`, or None for a skipped slot or one that is not in the history."""
        for info in self.recent:
            if info.info.slot == slot:
                return info.info
        while slot not in self.ledger.blocks and self.ledger.scan_older():
            pass
        return self.ledger.blocks.get(slot)

    def advance(self) -> None:
        """End the block and begin the next one."""
        info = self.chain.next()
        old_confirmed, old_finalized = self.chain.confirmed, self.chain.finalized
        self.chain.append(info)
        self.recent.append(Block(info))
        self.fees.append((info.slot, [], {}))
        self.svm.expire_blockhash()
        self._set_sysvars()
        self.ledger.append_block(info, capitalization=self.capitalization, transactions=self.transactions)
        if self.ledger.wants_snapshot:
            self.ledger.snapshot(self.state())
        for listener in self.listeners:
            listener.advanced(info, self.chain.finalized)
        clock: Changed = {_CLOCK: self.svm.get_account(_CLOCK)}
        self.recent[-1].changed.update(clock)
        for listener in self.listeners:
            listener.executed(info.slot, (), clock)
        for block in list(self.recent):
            if old_confirmed < block.info.slot <= self.chain.confirmed:
                self._commit("confirmed", block)
            if old_finalized < block.info.slot <= self.chain.finalized:
                self._commit("finalized", block)
        while self.recent[0].info.slot < self.chain.finalized:
            self.recent.popleft()

    def _commit(self, commitment: str, block: Block) -> None:
        for listener in self.listeners:
            listener.committed(commitment, block)
        if commitment == "finalized":
            for key in block.changed:
                self._prune_versions(key)

    def _set_sysvars(self) -> None:
        info = self.chain.blocks[-1]
        epoch = info.slot // self.config.slots_per_epoch
        first_slot = epoch * self.config.slots_per_epoch
        self.svm.set_clock(Clock(info.slot, self.chain.time(first_slot), epoch, epoch + 1, info.time))
        parents = list(self.chain.blocks)[-2::-1][:SLOT_HASHES]
        self.svm.set_slot_hashes([(parent.slot, Hash(self.chain.blockhash(parent.slot))) for parent in parents])

    # accounts

    def account(self, key: Pubkey, slot: int) -> Account | None:
        """The account as it was at the end of `slot` (a processed, confirmed or finalized one)."""
        versions = self._versions.get(key) if slot < self.chain.slot else None
        if versions is not None:
            account = next(account for since, account in reversed(versions) if since <= slot)
        else:
            account = self.svm.get_account(key)
        return account if account is not None and account.lamports else None

    def accounts(self) -> Iterator[tuple[Pubkey, Account]]:
        """All accounts that are or were in the ledger and exist now."""
        for key in self._known:
            account = self.svm.get_account(key)
            if account is not None and account.lamports:
                yield key, account

    def program_accounts(self, program: Pubkey, slot: int) -> list[tuple[Pubkey, Account]]:
        """All accounts owned by `program` at the end of `slot`."""
        found = {key: account for key, account in self.svm.get_program_accounts(program) if account.lamports}
        if slot < self.chain.slot:
            for key in self._versions:
                account = self.account(key, slot)
                if account is not None and account.owner == program:
                    found[key] = account
                else:
                    found.pop(key, None)
        return list(found.items())

    def decimals(self, mint: Pubkey) -> int | None:
        """Decimals of a mint, or None when it is not one."""
        known = self._decimals.get(mint)
        if known is None:
            account = self.svm.get_account(mint)
            if account is None or account.owner not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM) or len(account.data) < 82:
                return None
            known = self._decimals[mint] = account.data[44]
        return known

    def inject(self, accounts: Sequence[tuple[Pubkey, Account]]) -> None:
        """Write accounts past the runtime's rules; recorded in the ledger, seen like any other change."""
        changed: Changed = dict(accounts)
        for key, account in accounts:
            before = self.svm.get_account(key)
            self.capitalization += account.lamports - (before.lamports if before is not None else 0)
            self._set(key, account)
            self._write_version(key, before, account)
        self._finish([], changed, list(changed))

    def _set(self, key: Pubkey, account: Account | None) -> None:
        if account is not None:
            self.svm.set_account(key, account)
        elif self.svm.get_account(key) is not None:
            self.svm.set_account(key, Account(0, b"", Pubkey.default()))

    def _add_version(self, key: Pubkey, slot: int, account: Account | None) -> None:
        versions = self._versions.setdefault(key, [])
        if versions and versions[-1][0] == slot:
            versions.pop()
        versions.append((slot, account))

    def _prune_versions(self, key: Pubkey) -> None:
        versions = self._versions.get(key)
        if versions is None:
            return
        while len(versions) > 1 and versions[1][0] <= self.chain.finalized:
            versions.pop(0)
        if len(versions) == 1:
            del self._versions[key]

    # transactions

    def submit(self, decoded: Decoded, retries: int, *, by_client: bool) -> None:
        """Queue a transaction for the next tick; a signature already queued is not queued twice.

        Of a client's, not of the market's own crowd, `failures` remembers what it found if it fails.
        """
        self._queue.setdefault(decoded.signature, Queued(decoded, retries, self.chain.slot, by_client))

    def lose(self, decoded: Decoded, retries: int) -> None:
        """Accept a transaction that gets lost on its way; it is queued some slots later if the node may retry."""
        self._drop("Lost")
        if retries > 0:
            later = Queued(decoded, retries - 1, self.chain.slot + _RETRY_SLOTS, by_client=True)
            self._queue.setdefault(decoded.signature, later)

    @property
    def queued(self) -> int:
        """Transactions waiting."""
        return len(self._queue)

    def _ready(self) -> list[Queued]:
        """What may execute now, in the order of priority fee per compute unit, then of arrival."""
        ready = [queued for queued in self._queue.values() if queued.not_before_slot <= self.chain.slot]
        ready.sort(key=lambda queued: -queued.decoded.price)
        return ready

    def tick(self) -> None:
        """Execute what is queued, as far as the block has compute units left."""
        if not self._queue:
            return
        block = self.recent[-1]
        executed: list[tuple[bytes, Record]] = []
        changed: Changed = {}
        written: list[Pubkey] = []
        for queued in self._ready():
            if block.compute_units >= self.config.block_compute_units:
                break
            del self._queue[queued.decoded.signature]
            record = self._execute(queued, changed, written)
            if record is not None:
                executed.append((queued.decoded.signature, record))
                block.compute_units += record.compute_units
        if executed:
            self._finish(executed, changed, written)

    def _finish(self, executed: list[tuple[bytes, Record]], changed: Changed, written: Iterable[Pubkey]) -> None:
        block = self.recent[-1]
        self.transactions += len(executed)
        self.ledger.append_batch(
            self.chain.slot,
            executed,
            [StoredAccount.of(key, self.chain.slot, changed[key]) for key in dict.fromkeys(written)],
            capitalization=self.capitalization,
            transactions=self.transactions,
        )
        self._known.update(changed)
        block.executed.extend(executed)
        block.changed.update(changed)
        for listener in self.listeners:
            listener.executed(self.chain.slot, executed, changed)

    def check(self, decoded: Decoded, slot: int) -> TransactionErrorJson | None:
        """Why the block of `slot` would refuse the transaction before executing it."""
        if decoded.signature in self.ledger.locations:
            return "AlreadyProcessed"
        if not self.chain.blockhash_valid(decoded.blockhash, slot) and self._nonce_key(decoded) is None:
            return "BlockhashNotFound"
        return None

    def _nonce_key(self, decoded: Decoded) -> Pubkey | None:
        """The nonce account, if the transaction begins with AdvanceNonceAccount on the nonce it names as blockhash."""
        if not decoded.transaction.uses_durable_nonce():
            return None
        accounts = bytes(decoded.instructions[0].accounts)
        if not accounts or accounts[0] >= len(decoded.keys):
            return None
        key = decoded.keys[accounts[0]]
        account = self.svm.get_account(key)
        if account is None or account.owner != Pubkey.default() or len(account.data) != 80:
            return None
        initialized = int.from_bytes(account.data[4:8], "little") == 1
        return key if initialized and account.data[40:72] == decoded.blockhash else None

    def _execute(self, queued: Queued, changed: Changed, written: list[Pubkey]) -> Record | None:
        decoded = queued.decoded
        refusal = self.check(decoded, self.chain.slot)
        if refusal is not None:
            self._drop(str(refusal))
            return None
        get = self.svm.get_account
        loaded = load_addresses(decoded, get)
        if loaded is None:
            self._drop("AddressLookupTableNotFound")
            return None
        recent = self.chain.blockhash_valid(decoded.blockhash, self.chain.slot)
        nonce_key = None if recent else self._nonce_key(decoded)
        before = [get(key) for key in loaded.keys]
        result = self.svm.send_transaction(decoded.transaction)
        error: TransactionErrorJson | None = None
        if isinstance(result, FailedTransactionMetadata):
            error = msgspec.json.decode(result.to_json())["err"]
            meta = result.meta()
            payer = get(decoded.keys[0])
            if before[0] is None or (payer.lamports if payer is not None else 0) == before[0].lamports:
                self._drop(error if isinstance(error, str) else next(iter(error or {"": 0})))
                return None
            if nonce_key is not None:
                self._advance_nonce(nonce_key)
            if queued.by_client:
                found = dict(zip(loaded.keys, before, strict=True))
                self.failures.keep(decoded.signature, self.chain.slot, self.chain.blocks[-1].time, found)
        else:
            meta = result
        after = [get(key) for key in loaded.keys]
        for key, writable, old, new in zip(loaded.keys, loaded.writable, before, after, strict=True):
            if not writable or (old is None and new is None) or (error is not None and old == new):
                continue
            if new is not None and new.owner in (_NATIVE_LOADER, _SYSVAR_OWNER):
                continue
            changed[key] = new
            if old != new:
                self._write_version(key, old, new)
                written.append(key)
        return self._record(decoded, loaded, error, meta, before, after)

    def _write_version(self, key: Pubkey, before: Account | None, account: Account | None) -> None:
        if key not in self._versions:
            self._add_version(key, -1, before)
        self._add_version(key, self.chain.slot, account)

    def _record(
        self,
        decoded: Decoded,
        loaded: Loaded,
        error: TransactionErrorJson | None,
        meta: TransactionMetadata,
        before: Sequence[Account | None],
        after: Sequence[Account | None],
    ) -> Record:
        fee = meta.fee()
        self.capitalization -= fee
        _, prices, by_account = self.fees[-1]
        prices.append(decoded.price)
        for key, writable in zip(loaded.keys, loaded.writable, strict=True):
            if writable:
                by_account[key] = min(by_account.get(key, decoded.price), decoded.price)
        return Record(
            slot=self.chain.slot,
            block_time=self.chain.blocks[-1].time,
            raw=decoded.raw,
            error=error,
            fee=fee,
            compute_units=meta.compute_units_consumed(),
            logs=meta.logs(),
            inner=inner_instructions(meta.inner_instructions()),
            pre_balances=[account.lamports if account is not None else 0 for account in before],
            post_balances=[account.lamports if account is not None else 0 for account in after],
            pre_tokens=token_balances(list(enumerate(before)), self.decimals),
            post_tokens=token_balances(list(enumerate(after)), self.decimals),
            loaded_writable=[bytes(key) for key in loaded.lookup_writable],
            loaded_readonly=[bytes(key) for key in loaded.lookup_readonly],
            return_data=_return_data(meta),
        )

    def _advance_nonce(self, key: Pubkey) -> None:
        """What the runtime keeps of a failed durable-nonce transaction, besides the fee."""
        account = self.svm.get_account(key)
        if account is None:
            return
        nonce = hashlib.sha256(b"DURABLE_NONCE" + bytes(self.svm.latest_blockhash())).digest()
        data = account.data[:40] + nonce + account.data[72:]
        self.svm.set_account(
            key, Account(account.lamports, data, account.owner, account.executable, account.rent_epoch)
        )

    def _drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def simulate(self, decoded: Decoded, slot: int, *, verify: bool) -> Simulation:
        """Execute on the state at the end of `slot` without leaving a trace."""
        get = self.svm.get_account
        loaded = load_addresses(decoded, get)
        replaced: list[tuple[Pubkey, Account | None]] = []
        if slot < self.chain.slot and loaded is not None:
            for key in dict.fromkeys(loaded.keys):
                if key in self._versions:
                    replaced.append((key, get(key)))
                    self._set(key, self.account(key, slot))
        self.svm.with_sigverify(verify)
        try:
            result = self.svm.simulate_transaction(decoded.transaction)
        finally:
            self.svm.with_sigverify(True)
            for key, account in replaced:
                self._set(key, account)
        error: TransactionErrorJson | None = None
        accounts: Changed = {}
        if isinstance(result, FailedTransactionMetadata):
            error = msgspec.json.decode(result.to_json())["err"]
        elif isinstance(result, SimulatedTransactionInfo):
            accounts = dict(result.post_accounts())
        meta = result.meta()
        return Simulation(
            error=error,
            logs=meta.logs(),
            compute_units=meta.compute_units_consumed(),
            return_data=_return_data(meta),
            inner=list(inner_instructions(meta.inner_instructions())),
            accounts=accounts,
            loaded=loaded,
        )

    def prioritization_fees(self, keys: Sequence[Pubkey]) -> list[tuple[int, int]]:
        """For each recent block the lowest price that got in, given that `keys` are written."""
        found = []
        for slot, prices, by_account in self.fees:
            found.append((slot, max([min(prices, default=0), *(by_account.get(key, 0) for key in keys)])))
        return sorted(found, key=operator.itemgetter(0))


def _return_data(meta: TransactionMetadata) -> tuple[bytes, bytes] | None:
    returned = meta.return_data()
    return (bytes(returned.program_id), returned.data) if returned.data else None
