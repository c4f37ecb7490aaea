"""All checks of one mint: what is read, in which order, and what each makes of it.

A check that cannot be made refuses: what cannot be known is not bought.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from solders.pubkey import Pubkey

from sniperforge.discovery import NoPoolError
from sniperforge.rpc import RpcError, RpcUnavailable
from sniperforge.safety import extensions, holders, pools, trial
from sniperforge.safety.creators import Creators, CreatorsFileError
from sniperforge.safety.holders import Holders
from sniperforge.safety.layouts import VAULT_OWNERS
from sniperforge.safety.mint import Mint, NotAMintError, decode
from sniperforge.safety.pools import Pool
from sniperforge.safety.reader import CLOCK, Clock, Reader, clock
from sniperforge.safety.trial import Trial
from sniperforge.safety.verdict import Check, Outcome, Verdict
from sniperforge.tile_config import SafetyConfig
from sniperforge.venues.pools import WRAPPED_SOL

_MAX_DECIMALS = 18
_BPS = 10_000
_PROBES = (1000, 100, 10)
"""Parts of the exit that its price is compared with."""
_PROBE_OUT = 1000
"""Least base units that a probe must give for its price to be exact to a basis point or so."""


class _Finding(NamedTuple):
    outcome: Outcome
    sentence: str


def quotes(config: SafetyConfig) -> dict[Pubkey, int]:
    """The tokens one may sell for, and how much of each a pool must hold."""
    listed = {Pubkey.from_string(mint): least for mint, least in config.min_liquidity.items()}
    return {WRAPPED_SOL: config.min_liquidity_lamports, **listed}


class Checker:
    """Checks mints over one `Reader`; for one thread.

    Args:
        wallet: who would buy; None = no exit can be tried, which refuses.
    """

    def __init__(self, reader: Reader, config: SafetyConfig, wallet: Pubkey | None) -> None:
        self.reader = reader
        self.config = config
        self.wallet = wallet
        self._creators = Creators(config.creators_path)

    def check(self, mint: str, pool: str | None = None, amount: int | None = None) -> Verdict:
        """Makes every check of `mint`, sold in `pool` (None: the deepest there is).

        Args:
            amount: base units of the pool's other token that the buy would spend; None = `safety.amount_lamports`,
                which is refused for a pool against another token than SOL.

        Raises:
            ValueError: an address is none.
            RpcUnavailable: the node does not answer.
        """
        key = Pubkey.from_string(mint)
        return _Run(self, key, Pubkey.from_string(pool) if pool else None, amount).verdict()

    def known_creator(self, address: Pubkey) -> _Finding:
        """What the history says of one creator."""
        known = self._creators.get(str(address))
        if known is None:
            return _Finding("pass", f"nothing is known of {address}")
        said = f"{address} is known as {known.verdict}" + (f": {known.note}" if known.note else "")
        return _Finding("refuse" if known.verdict == "bad" else "pass", said)


class _Run:
    """One mint's checks."""

    def __init__(self, checker: Checker, mint: Pubkey, pool: Pubkey | None, amount: int | None) -> None:
        self._reader, self._config, self._checker = checker.reader, checker.config, checker
        self._mint, self._pool, self._amount = mint, pool, amount
        self._checks: list[Check] = []
        self._clock = Clock(0, 0)
        self._trial: Trial | None = None
        self._makers: list[Pubkey] = []
        self._account = b""
        self._opened = 0

    def verdict(self) -> Verdict:
        read = self._reader.accounts([self._mint, CLOCK])
        self._clock = clock(read.accounts[1])
        if str(self._mint) in self._config.listed_mints:
            self._add("listed", read.slot, _Finding("pass", "it is in safety.listed_mints and passes unchecked"))
            return self._close(None)
        account = read.accounts[0]
        try:
            if account is None:
                raise NotAMintError("there is no such account")
            mint = decode(account.owner, account.data)
            self._account = account.data
        except NotAMintError as error:
            self._add("owner program", read.slot, _Finding("refuse", str(error)))
            return self._close(None)
        self._of_mint(mint, read.slot)
        pool = self._load(mint, read.slot)
        self._guarded("holders", read.slot, lambda: self._holders(mint, pool))
        if pool is not None:
            self._of_pool(mint, pool)
        self._guarded("creators", read.slot, lambda: self._history(mint, pool, read.slot))
        return self._close(pool)

    def _add(self, name: str, slot: int, finding: _Finding) -> None:
        self._checks.append(Check(name, finding.outcome, finding.sentence, slot))

    def _guarded(self, name: str, slot: int, check: Callable[[], None]) -> None:
        """A check whose reads the node may refuse."""
        try:
            check()
        except RpcError as error:
            self._add(name, slot, _Finding("refuse", f"cannot be checked: {error}"))

    def _close(self, pool: Pool | None) -> Verdict:
        tried = self._trial or Trial(0)
        return Verdict(
            mint=str(self._mint),
            pool=str(pool.address) if pool is not None else "",
            amount=self._amount or 0,
            slot=min(check.slot for check in self._checks),
            unix_s=self._clock.unix_s,
            checks=tuple(self._checks),
            exit_tokens=tried.sold,
            exit_amount=tried.proceeds,
            creators=tuple(str(key) for key in self._makers),
            mint_account=self._account,
            depth=pool.depth if pool is not None else 0,
            opened=self._opened,
        )

    # -- the mint ------------------------------------------------------------------------------------------

    def _of_mint(self, mint: Mint, slot: int) -> None:
        self._add("owner program", slot, _Finding("pass", f"{mint.program} is a token program"))
        for name, key, allowed, can in (
            ("mint authority", mint.authority, self._config.allow_mint_authority, "make more of it"),
            (
                "freeze authority",
                mint.freeze_authority,
                self._config.allow_freeze_authority,
                "freeze any holder's account",
            ),
        ):
            if key is None:
                finding = _Finding("pass", f"nobody can {can}")
            else:
                finding = _Finding("warn" if allowed else "refuse", f"{key} can {can}")
            self._add(name, slot, finding)
        self._add("supply", slot, _supply(mint))
        terms = extensions.Terms(self._config.max_transfer_fee_bps, self._clock.epoch)
        for extension in mint.extensions:
            name, judgement = extensions.judge(extension, terms)
            self._add(f"extension {name}" if not name.startswith("extension") else name, slot, _Finding(*judgement))
        if not mint.extensions:
            self._add("extensions", slot, _Finding("pass", "it has none"))

    def _holders(self, mint: Mint, pool: Pool | None) -> None:
        """The twenty largest accounts; all of them where what those leave open decides."""
        vaults = pool.vaults if pool is not None else ()
        found, missing = holders.largest(self._reader, self._mint, mint.supply, vaults), ""
        if self._seen(found) is None and self._unread(found, "") is not None:
            missing = "only the twenty largest accounts could be read: "
            try:
                found, missing = holders.all_of(self._reader, self._mint, mint, vaults), ""
            except RpcError as error:
                missing += str(error)
            except RpcUnavailable:
                missing += "the list of all of them is too long, or did not come in time"
        self._add("holders", found.slot, self._seen(found) or self._unread(found, missing) or _spread(found))

    def _limits(self) -> list[tuple[int, str, int]]:
        """How many owners together, which setting, how much of the supply they may hold."""
        return [
            (1, "max_holder_share_bps", self._config.max_holder_share_bps),
            (10, "max_top10_share_bps", self._config.max_top10_share_bps),
            (50, "max_top50_share_bps", self._config.max_top50_share_bps),
        ]

    def _seen(self, found: Holders) -> _Finding | None:
        """A limit that what was read breaks."""
        if found.free <= 0:
            return _Finding("refuse", "all of the supply is burnt")
        for count, setting, limit in self._limits():
            share = found.share_bps(count)
            if share > limit:
                who = f"the {count} largest owners hold" if count > 1 else f"{found.owners[0][0]} holds"
                sentence = f"{who} {_percent(share)} of the supply, more than safety.{setting} = {limit}"
                if count == 1 and found.owners[0][0] in VAULT_OWNERS:
                    sentence += "; it owns vaults of pools, and in others than this one somebody may withdraw it"
                return _Finding("refuse", sentence)
        return None

    def _unread(self, found: Holders, missing: str) -> _Finding | None:
        """A limit that is broken if all that was not read is one owner's."""
        for count, setting, limit in self._limits():
            most = found.share_bps(count) + found.unread_bps
            if most > limit:
                who = "he" if count == 1 else f"the {count} largest"
                unread = _percent(found.unread_bps)
                sentence = f"{unread} of the supply is in no balance that was read; if one owner has it all,"
                sentence += f" {who} may hold {_percent(min(most, _BPS))}, more than safety.{setting} = {limit}"
                return _Finding("refuse", f"{sentence} ({missing})" if missing else sentence)
        return None

    def _history(self, mint: Mint, pool: Pool | None, slot: int) -> None:
        keys = [mint.authority, mint.freeze_authority, *(pool.creators if pool is not None else ())]
        self._makers = [key for key in dict.fromkeys(keys) if key is not None]
        if not self._makers:
            self._add("creators", slot, _Finding("pass", "the chain names no creator"))
        for key in self._makers:
            try:
                finding = self._checker.known_creator(key)
            except CreatorsFileError as error:
                finding = _Finding("refuse", str(error))
            self._add("creators", slot, finding)

    # -- the pool ------------------------------------------------------------------------------------------

    def _load(self, mint: Mint, slot: int) -> Pool | None:
        """The pool, if there is one whose other token one may sell for."""
        try:
            address = self._pool or pools.find(self._reader, self._mint, mint.program, quotes(self._config))
            pool = pools.load(self._reader, address, self._mint, mint.program)
        except (NoPoolError, RpcError) as error:
            self._add("pool", slot, _Finding("refuse", str(error)))
            return None
        if self._amount is None and pool.quote == WRAPPED_SOL:
            self._amount = self._config.amount_lamports
        if pool.quote not in quotes(self._config):
            finding = _Finding(
                "refuse", f"it is sold for {pool.quote}, which is neither SOL nor in safety.min_liquidity"
            )
        elif self._amount is None:
            finding = _Finding("refuse", f"it is sold for {pool.quote}: say how much of that the buy spends (--amount)")
        elif pool.frozen:
            finding = _Finding("refuse", f"a vault of {pool.address} is frozen: the pool can neither take nor give it")
        else:
            finding = _Finding("pass", f"{pool.address} of {pool.venue}, sold for {pool.quote}")
        self._add("pool", pool.slot, finding)
        return pool

    def _of_pool(self, mint: Mint, pool: Pool) -> None:
        self._add("pool supply", pool.slot, self._pool_supply(mint, pool))
        self._guarded("liquidity lock", pool.slot, lambda: self._locked(pool))
        self._guarded("pool age", pool.slot, lambda: self._age(pool))
        least = quotes(self._config).get(pool.quote)
        if least is not None:
            enough = pool.depth >= least
            sentence = f"the pool holds {pool.depth} of {pool.quote}, at least {least} is asked for"
            self._add("pool depth", pool.slot, _Finding("pass" if enough else "refuse", sentence))
        if self._amount is not None:
            self._exit(pool, self._amount)

    def _pool_supply(self, mint: Mint, pool: Pool) -> _Finding:
        if pool.held > mint.supply:
            return _Finding("refuse", f"the pool holds {pool.held}, more than the supply of {mint.supply}")
        share = pool.held * _BPS // mint.supply if mint.supply else 0
        low = share < self._config.min_pool_supply_bps
        sentence = f"{_percent(share)} of the supply is in the pool" + ("; the rest may be sold into it" if low else "")
        return _Finding("warn" if low else "pass", sentence)

    def _locked(self, pool: Pool) -> None:
        if pool.venue == "pump_fun":
            finding = _Finding("pass", "a bonding curve's liquidity belongs to its program; nobody can take it")
            self._add("liquidity lock", pool.slot, finding)
            return
        slot, share = pool.slot, pool.locked_bps
        if pool.lp is not None:
            slot, share = holders.locked_bps(self._reader, pool.lp, self._config.lockers)
        asked = self._config.min_lp_locked_bps
        weak: Outcome = "refuse" if self._config.require_lp_locked else "warn"
        if share is None:
            sentence = f"liquidity of {pool.venue} is in positions, which their owners can take out at any time"
            finding = _Finding(weak, sentence)
        else:
            made = ", made by pump.fun from its curve" if pool.canonical else ""
            sentence = f"{_percent(share)} of the liquidity is burnt or locked{made}; {_percent(asked)} is asked for"
            finding = _Finding("pass" if share >= asked else weak, sentence)
        self._add("liquidity lock", slot, finding)

    def _age(self, pool: Pool) -> None:
        opened = pool.opened or self._reader.first_seen(pool.address)
        asked = self._config.min_pool_age_s
        if opened is None:
            finding = _Finding(
                "refuse" if asked else "warn", "when the pool opened is not known: it has no transaction"
            )
        else:
            self._opened = opened
            age = pool.clock.unix_s - opened
            told = f"it opened {age} s ago" if age >= 0 else f"it opens in {-age} s"
            finding = _Finding("pass" if age >= asked else "refuse", f"{told}; at least {asked} s is asked for")
        self._add("pool age", pool.slot, finding)

    # -- the exit ------------------------------------------------------------------------------------------

    def _exit(self, pool: Pool, amount: int) -> None:
        if self._checker.wallet is None:
            tried = Trial(pool.slot, failure="there is no wallet whose exit could be tried; name one with --wallet")
        else:
            try:
                tried = trial.run(self._reader, pool, self._checker.wallet, amount)
            except (RpcError, LookupError, ValueError) as error:
                tried = Trial(pool.slot, failure=str(error))
        self._trial = tried
        self._add("simulated exit", tried.slot, self._tried(tried, amount))
        tokens = tried.sold if tried.spent else max(tried.sold, pool.quote_in(False, amount).amount_out)
        self._add("exit impact", pool.slot, self._impact(pool, tokens))

    def _tried(self, tried: Trial, amount: int) -> _Finding:
        if tried.failure:
            return _Finding("refuse", tried.failure)
        if not tried.spent:
            return _Finding(
                "warn",
                f"a sale of all {tried.sold} that the wallet holds gives {tried.proceeds}; a buy with {amount} was not "
                "tried, for the wallet cannot pay it: fund it, or name another with --wallet",
            )
        back = tried.proceeds * tried.bought // tried.sold
        loss = max(0, (tried.spent - back) * _BPS // tried.spent)
        limit = self._config.max_round_trip_loss_bps
        sentence = f"{tried.spent} buys {tried.bought}, whose sale gives {back} back: {_percent(loss)} is lost"
        if loss > limit:
            return _Finding("refuse", f"{sentence}, more than safety.max_round_trip_loss_bps = {limit}")
        return _Finding("pass", sentence)

    def _impact(self, pool: Pool, tokens: int) -> _Finding:
        whole = pool.quote_in(True, tokens)
        if not tokens or whole.status != "ok" or not whole.amount_out:
            return _Finding("refuse", f"a sale of {tokens} has no price: {whole.status}")
        for part in _PROBES:
            probe = pool.quote_in(True, tokens // part)
            if probe.status == "ok" and probe.amount_out >= _PROBE_OUT:
                fair = probe.amount_out * tokens // (tokens // part)
                impact = max(0, (fair - whole.amount_out) * _BPS // fair)
                limit = self._config.max_exit_impact_bps
                sentence = f"a sale of {tokens} moves its own price by {_percent(impact)}"
                if impact > limit:
                    return _Finding("refuse", f"{sentence}, more than safety.max_exit_impact_bps = {limit}")
                return _Finding("pass", sentence)
        return _Finding("warn", f"a sale of {tokens} is too small to tell its impact")


def _spread(found: Holders) -> _Finding:
    """What is said of holders that break no limit."""
    one, ten, fifty = (_percent(found.share_bps(count)) for count in (1, 10, 50))
    sentence = f"the largest owner holds {one}, the ten largest {ten} and the fifty largest {fifty} of the supply"
    sentence += f"; {_percent(found.pooled * _BPS // found.free)} is in the pool"
    if found.unread_bps:
        sentence += f", and {_percent(found.unread_bps)}, in no balance that was read, breaks no limit whoever has it"
    return _Finding("pass", sentence)


def _supply(mint: Mint) -> _Finding:
    if not mint.supply:
        return _Finding("refuse", "there is none of it")
    if mint.decimals > _MAX_DECIMALS:
        return _Finding("refuse", f"{mint.decimals} decimals are more than any token has use for")
    sentence = f"{mint.supply} base units, {mint.decimals} decimals"
    if not mint.decimals:
        return _Finding("refuse" if mint.supply == 1 else "warn", f"{sentence}: it looks like a collectible")
    return _Finding("pass", sentence)


def _percent(bps: int) -> str:
    return f"{bps / 100:.2f} %"
