"""A clone on disk: what `sniperforge simnet clone` writes and a simnet begins from.

    DIR/
      manifest.json        where and when, what each file is and its SHA-256
      <pubkey>.json        one account each, as `solana account --output json` writes them
      programs/<id>.so     the ELF file of each program, once more by itself

A program is the account at its address and, with the upgradeable loader, its ProgramData: both are among the accounts,
so a chain that loads all of them has the same program by the same bytes. An ELF file says itself if it is an emulation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from solders.pubkey import Pubkey

from sniperforge.simnet.config import AccountFile, ConfigError, ProgramFile, SimnetConfig

MANIFEST = "manifest.json"
FORMAT = 1


class ClonedAccount(msgspec.Struct, frozen=True):
    """One account of a clone; it is as it was at the end of `slot`."""

    file: str
    what: str
    slot: int
    sha256: str


class ClonedProgram(msgspec.Struct, frozen=True):
    """One program of a clone."""

    file: str
    loader: str
    emulation: bool
    sha256: str


class ClonedPool(msgspec.Struct, frozen=True):
    """One pool of a clone."""

    venue: str
    mints: tuple[str, str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a clone is. `slot` and `unix_time` are those of the newest account that is not a program's."""

    format: int
    node: str
    genesis_hash: str
    made_at: str
    slots: tuple[int, int]
    slot: int
    unix_time: int
    slots_per_epoch: int
    pools: dict[str, ClonedPool]
    accounts: dict[str, ClonedAccount]
    programs: dict[str, ClonedProgram]
    not_there: list[str]
    """Accounts and programs that a swap may name and that do not exist."""


def sha256(data: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def write(directory: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Writes a clone; of an older one in `directory` nothing is left, other files stay.

    The manifest comes last and goes first, so that half a clone is none.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MANIFEST).unlink(missing_ok=True)
    for old in [*directory.glob("*.json"), *directory.glob("programs/*.so")]:
        if _is_address(old.stem) and str(old.relative_to(directory)) not in files:
            old.unlink()
    for name, data in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(data)
    partial = directory / f".{MANIFEST}"
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    partial.replace(directory / MANIFEST)


def _is_address(text: str) -> bool:
    try:
        Pubkey.from_string(text)
    except ValueError:
        return False
    return True


def read(directory: Path) -> Manifest:
    """The manifest of a clone whose files are all there.

    Raises:
        ConfigError: it is none, or a file is missing or another one.
    """
    path = directory / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a directory that `simnet clone` made") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path} is not the manifest of a clone ({error}); make the clone anew") from None
    if manifest.format != FORMAT:
        raise ConfigError(f"{path} has format {manifest.format}, not {FORMAT}; make the clone anew")
    hashes = {row.file: row.sha256 for row in manifest.accounts.values()}
    hashes |= {row.file: row.sha256 for row in manifest.programs.values()}
    for name, expected in hashes.items():
        try:
            data = (directory / name).read_bytes()
        except OSError as error:
            raise ConfigError(f"{directory / name}: {error.strerror}; make the clone anew") from None
        if sha256(data) != expected:
            raise ConfigError(
                f"{directory / name} is not what was cloned; make the clone anew,"
                " or load changed accounts with --account"
            )
    return manifest


def with_clone(config: SimnetConfig) -> tuple[SimnetConfig, Manifest | None]:
    """The configuration with everything of `simnet.clone` in it, and its manifest.  Raises ConfigError."""
    if not config.clone:
        return config, None
    directory = Path(config.clone).expanduser()
    manifest = read(directory)
    accounts = [AccountFile(address=key, file=str(directory / row.file)) for key, row in manifest.accounts.items()]
    programs = [ProgramFile(id=key, file=str(directory / row.file)) for key, row in manifest.programs.items()]
    changed = msgspec.structs.replace(
        config,
        accounts=[*accounts, *config.accounts],  # what the user names wins
        programs=[*programs, *config.programs],
        slots_per_epoch=manifest.slots_per_epoch,
    )
    return changed, manifest
