"""The chain of blocks: slots, heights, commitment levels and blockhashes, all a function of genesis and seed."""

from __future__ import annotations

import hashlib
from collections import deque

from sniperforge.simnet.config import SimnetConfig
from sniperforge.simnet.ledger import BlockInfo

SLOT_HASHES = 512


class Chain:
    """The newest blocks and what follows from them; the last one is being filled."""

    def __init__(self, config: SimnetConfig, genesis_hash: bytes, genesis_time: int, first_slot: int = 0) -> None:
        self._config = config
        self.genesis_hash = genesis_hash
        self.genesis_time = genesis_time
        self.first_slot = first_slot
        self.blocks: deque[BlockInfo] = deque(maxlen=max(SLOT_HASHES, config.finalized_after_slots + 2))
        self._last_valid: dict[bytes, int] = {}

    @property
    def slot(self) -> int:
        """The slot whose block is being filled."""
        return self.blocks[-1].slot

    @property
    def height(self) -> int:
        """The height of the block being filled."""
        return self.blocks[-1].height

    @property
    def confirmed(self) -> int:
        """The newest confirmed slot."""
        return self._back(self._config.confirmed_after_slots).slot

    @property
    def finalized(self) -> int:
        """The newest finalized slot."""
        return self._back(self._config.finalized_after_slots).slot

    def _back(self, blocks: int) -> BlockInfo:
        return self.blocks[max(0, len(self.blocks) - 1 - blocks)]

    def slot_at(self, commitment: str) -> int:
        """The newest slot at a commitment."""
        if commitment == "processed":
            return self.slot
        return self.confirmed if commitment == "confirmed" else self.finalized

    def commitment_of(self, slot: int) -> str:
        """The commitment that `slot` has reached."""
        if slot <= self.finalized:
            return "finalized"
        return "confirmed" if slot <= self.confirmed else "processed"

    def append(self, info: BlockInfo) -> None:
        """Begin a block; its parent's hash becomes valid in it."""
        self.blocks.append(info)
        self._last_valid[self.blockhash(info.parent)] = info.height + self._config.blockhash_valid_blocks
        oldest = info.height - SLOT_HASHES
        for blockhash in [each for each, last_valid in self._last_valid.items() if last_valid < oldest]:
            del self._last_valid[blockhash]

    def next(self) -> BlockInfo:
        """The block after the one being filled."""
        parent = self.blocks[-1]
        slot = parent.slot + 1
        while self.skipped(slot):
            slot += 1
        return BlockInfo(slot, parent.height + 1, parent.slot, self.time(slot))

    def time(self, slot: int) -> int:
        """Unix time of a slot: genesis time and the slots since then at speed 1."""
        return self.genesis_time + (slot - self.first_slot) * self._config.slot_ms // 1000

    def skipped(self, slot: int) -> bool:
        """Whether `slot` has no block; decided by seed and slot."""
        digest = hashlib.sha256(b"skip %d %d" % (self._config.seed, slot)).digest()
        return int.from_bytes(digest[:4], "little") < self._config.skipped_slots_rate * 2**32

    def blockhash(self, slot: int) -> bytes:
        """The hash of the block in `slot`."""
        return hashlib.sha256(self.genesis_hash + slot.to_bytes(8, "little")).digest()

    def latest_blockhash(self, slot: int) -> tuple[bytes, int]:
        """The newest blockhash as seen from the block in `slot`, and the last block height it is valid at."""
        info = self._seen_from(slot)
        return self.blockhash(info.parent), info.height + self._config.blockhash_valid_blocks

    def blockhash_valid(self, blockhash: bytes, slot: int) -> bool:
        """Whether a transaction naming `blockhash` would pass in the block of `slot`."""
        last_valid = self._last_valid.get(blockhash)
        if last_valid is None:
            return False
        return last_valid - self._config.blockhash_valid_blocks <= self._seen_from(slot).height <= last_valid

    def _seen_from(self, slot: int) -> BlockInfo:
        return next(info for info in reversed(self.blocks) if info.slot <= slot)
