"""Sections of the tiles and bots: types and ranges; what each key does stands in configs/default.toml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Amount = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(ge=1, le=3_600_000)]
Address = Annotated[str, Meta(pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,44}$")]
ComputeUnits = Annotated[int, Meta(ge=0, le=1_400_000)]
LookupTables = Annotated[list[Address], Meta(max_length=16)]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section; the meaning of each key stands in configs/default.toml."""


class FeedConfig(_Section, frozen=True):
    engine: Literal["recv", "uring"]
    commitment: Literal["processed", "confirmed", "finalized"]
    ping_ms: Milliseconds
    timeout_ms: Milliseconds
    backoff_min_ms: Milliseconds
    backoff_max_ms: Milliseconds
    resync_ms: Annotated[int, Meta(ge=0, le=86_400_000)]
    max_message_kb: Annotated[int, Meta(ge=64, le=1 << 20)]


class BookConfig(_Section, frozen=True):
    slots_per_epoch: Annotated[int, Meta(ge=1, le=2**32 - 1)]


class ArbConfig(_Section, frozen=True, tag_field="kind", tag="arb"):
    bot: Annotated[int, Meta(ge=0, le=63)]
    base_mint: Address
    min_profit_lamports: Amount
    max_amount_lamports: Amount
    max_hops: Literal[2, 3]
    tip_bps: Annotated[int, Meta(ge=0, le=9999)]
    cu_limit_per_hop: ComputeUnits
    cu_price_micro_lamports: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    slippage_bps: Annotated[int, Meta(ge=0, le=9999)]
    cooldown_slots: Annotated[int, Meta(ge=0, le=100_000)]
    ladder_loss_bps: BasisPoints


class StrategyConfig(_Section, frozen=True, tag_field="kind", tag="strategy"):
    bot: Annotated[int, Meta(ge=0, le=63)]
    class_: str = msgspec.field(name="class")
    settings: dict[str, Any]


BotConfig = ArbConfig | StrategyConfig


class RiskConfig(_Section, frozen=True):
    base_mint: Address
    supervisor_timeout_ms: Milliseconds
    max_order_lamports: Amount
    max_open_lamports: Amount
    max_open_orders: Annotated[int, Meta(ge=0, le=4096)]
    max_orders_per_second: Annotated[int, Meta(ge=0, le=10_000_000)]
    max_daily_loss_lamports: Amount
    max_tip_lamports: Amount
    max_priority_fee_lamports: Amount
    max_daily_fee_lamports: Amount
    collar_bps: Annotated[int, Meta(ge=0, le=9999)]
    max_data_age_ms: Milliseconds
    max_slot_lag: Annotated[int, Meta(ge=0, le=1_000_000)]
    mint_max_amount: dict[Address, Amount]


class BuildConfig(_Section, frozen=True):
    cu_limit_base: ComputeUnits
    cu_limit_per_hop: ComputeUnits
    cu_price_micro_lamports: Amount
    max_blockhash_age_ms: Annotated[int, Meta(ge=1, le=150_000)]
    tip_account: str
    protect_account: str
    lookup_tables: LookupTables


class SignConfig(_Section, frozen=True):
    max_amount_lamports: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    max_fee_lamports: Annotated[int, Meta(ge=5000, le=2**63 - 1)]
    max_tip_lamports: Amount
    max_signatures_per_second: Annotated[int, Meta(ge=1, le=1_000_000)]
    ladder: bool
    nonce_pool: Annotated[int, Meta(ge=0, le=4096)]
    nonce_pool_force: bool
    programs: Annotated[list[Address], Meta(min_length=1, max_length=32)]
    tip_accounts: list[Address]
    protect_account: str
    lookup_tables: LookupTables


class SendConfig(_Section, frozen=True):
    connections: Annotated[int, Meta(ge=1, le=64)]
    before_send: bool
    timeout_ms: Milliseconds
    rebroadcast_ms: Annotated[int, Meta(ge=0, le=3_600_000)]
    max_rebroadcasts: Annotated[int, Meta(ge=0, le=1000)]
    backoff_min_ms: Milliseconds
    backoff_max_ms: Milliseconds


class JournalConfig(_Section, frozen=True):
    engine: Literal["uring", "pwrite"]
    segment_bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 40)]
    block_bytes: Annotated[int, Meta(ge=4096, le=1 << 20)]
    blocks: Annotated[int, Meta(ge=2, le=64)]
    commit_us: Annotated[int, Meta(ge=0, le=1_000_000)]
    checkpoint_s: Annotated[int, Meta(ge=1, le=86_400)]
    keep_gb: Annotated[int, Meta(ge=1, le=1 << 20)]


class ReplayConfig(_Section, frozen=True):
    tape_mb: Annotated[int, Meta(ge=2, le=1 << 20)]
    refresh_ms: Milliseconds
    drain_turns: Annotated[int, Meta(ge=1, le=1 << 30)]


class SafetyConfig(_Section, frozen=True):
    gate: bool
    check_ms: Milliseconds
    recheck_ms: Milliseconds
    listed_mints: list[Address]
    amount_lamports: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    amount: dict[Address, Annotated[int, Meta(ge=1, le=2**63 - 1)]]
    min_liquidity_lamports: Amount
    min_liquidity: dict[Address, Amount]
    allow_mint_authority: bool
    allow_freeze_authority: bool
    max_transfer_fee_bps: BasisPoints
    max_holder_share_bps: BasisPoints
    max_top10_share_bps: BasisPoints
    max_top50_share_bps: BasisPoints
    min_pool_supply_bps: BasisPoints
    require_lp_locked: bool
    min_lp_locked_bps: BasisPoints
    lockers: list[Address]
    creators_path: str
    min_pool_age_s: Annotated[int, Meta(ge=0, le=2**31)]
    max_exit_impact_bps: BasisPoints
    max_round_trip_loss_bps: BasisPoints
    verdict_slots: Annotated[int, Meta(ge=0, le=1_000_000)]
    guard_poll_ms: Milliseconds
    max_liquidity_drop_bps: BasisPoints
    max_creator_sell_bps: BasisPoints
