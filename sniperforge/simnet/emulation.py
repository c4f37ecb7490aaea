"""The DEX programs that simnet emulates, as ELF files for the virtual machine.

An emulated program runs inside the SVM like any other: it has the real program's address, account
layouts, instructions, integer results and errors, moves tokens by calling the token programs, and can
itself be called.  Its first log line says that it is an emulation.  The sources are in ``csrc/sbf/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from solders.pubkey import Pubkey

from sniperforge.simnet import sbf

PROGRAM_DIR = Path(__file__).resolve().parent / "programs"
"""Where a built package carries the programs, and where they are built when sources are here."""

EMULATED: Mapping[Pubkey, str] = {
    Pubkey.from_string("CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C"): "raydium_cpmm",
    Pubkey.from_string("675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8"): "raydium_amm_v4",
    Pubkey.from_string("6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P"): "pump_fun",
    Pubkey.from_string("whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"): "orca_whirlpool",
    Pubkey.from_string("CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK"): "raydium_clmm",
    Pubkey.from_string("pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA"): "pump_swap",
    Pubkey.from_string("cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG"): "meteora_damm_v2",
    Pubkey.from_string("LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo"): "meteora_dlmm",
}
"""Address of each emulated program -> its name, which is also its file's name."""


class EmulationError(Exception):
    """An emulated program's file is missing and cannot be built; the text says what to run."""


def load_program(name: str) -> bytes:
    """The ELF file of one emulated program.

    Takes ``programs/<name>.so`` when it is made from the present source (or when there are no sources,
    as in an installed package), else builds it there.  Raises EmulationError when it can do neither.
    """
    path = PROGRAM_DIR / f"{name}.so"
    if (sbf.SOURCE_DIR / f"{name}.c").exists():
        try:
            return sbf.build_program(name, PROGRAM_DIR).read_bytes()
        except (sbf.SbfError, OSError) as error:
            raise EmulationError(
                f"the emulated program {name} cannot be built: {error}; after fixing that run "
                f"`python -m sniperforge.simnet.sbf {PROGRAM_DIR}`"
            ) from error
    if not path.exists():
        raise EmulationError(
            f"{path} is missing and its source is not here; in a source tree run "
            f"`python -m sniperforge.simnet.sbf {PROGRAM_DIR}`, or reinstall the package"
        )
    return path.read_bytes()


def load_programs() -> dict[Pubkey, bytes]:
    """Every emulated program's address -> its ELF file, for ``LiteSVM.add_program``."""
    return {program_id: load_program(name) for program_id, name in EMULATED.items()}
