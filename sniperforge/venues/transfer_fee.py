"""What a Token-2022 mint withholds from a transfer (token-2022, `extension/transfer_fee`)."""

from __future__ import annotations

from typing import NamedTuple

BPS = 10_000
U64 = 1 << 64


class TransferFee(NamedTuple):
    """Basis points of the amount sent, at most `maximum`."""

    bps: int = 0
    maximum: int = 0

    def of(self, sent: int) -> int:
        """What is withheld when `sent` is sent."""
        return min(-(-sent * self.bps // BPS), self.maximum)

    def before(self, arrives: int) -> int | None:
        """What to send so that `arrives` arrives; None if the programs do not find it."""
        if not self.bps or not arrives:
            return arrives
        if self.bps == BPS:
            fee = self.maximum
        else:
            gross = min(-(-arrives * BPS // (BPS - self.bps)), arrives + self.maximum)
            if gross >= U64:
                return None
            fee = self.of(gross)
        sent = arrives + fee
        return sent if sent < U64 and self.of(sent) == fee else None


NO_FEE = TransferFee()
