"""SniperForge: a Solana trading engine for one bare-metal Linux box."""

__version__ = "0.1.0"
