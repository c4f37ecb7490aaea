"""Key files: the Solana CLI's form, and ours, encrypted.

The Solana CLI writes a JSON array of 64 numbers (seed and public key). The encrypted form is one flat JSON object:

    {"format": "sniperforge-key-1", "public_key": "<base58>",
     "kdf": "argon2id13", "operations": 2, "memory_bytes": 67108864, "salt": "<16 bytes hex>",
     "cipher": "xchacha20poly1305-ietf", "nonce": "<24 bytes hex>", "sealed": "<80 bytes hex>"}

`sealed` holds the 64 bytes, with the public key as additional data; primitives are libsodium's. The signer reads
both forms (`csrc/solana/keyfile.c`). Either is refused when others can read the file or it belongs to somebody else.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from solders.keypair import Keypair
from solders.pubkey import Pubkey

_MAX_FILE_BYTES = 4096
_MAX_PASSPHRASE_BYTES = 1024
_OPERATIONS = 2  # libsodium's "interactive": about 0.1 s, which every restart of the signer pays
_MEMORY_BYTES = 64 << 20
_KEY_BYTES, _SALT_BYTES, _NONCE_BYTES = 32, 16, 24


class KeyFileError(Exception):
    """The key file cannot be used; the text says why and what to do. It never holds key material."""


class _Sealed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    format: Literal["sniperforge-key-1"]
    public_key: str
    kdf: Literal["argon2id13"]
    operations: Annotated[int, Meta(ge=1, le=64)]
    memory_bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 30)]
    salt: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    cipher: Literal["xchacha20poly1305-ietf"]
    nonce: Annotated[str, Meta(pattern="^[0-9a-f]{48}$")]
    sealed: Annotated[str, Meta(pattern="^[0-9a-f]{160}$")]


def create(path: Path, *, passphrase: str | None = None, keypair: Keypair | None = None) -> Pubkey:
    """Writes a new key to `path` with mode 0600, encrypted if there is a passphrase; returns its address.

    Args:
        path: must not exist: a key is never overwritten.
        passphrase: None writes the Solana CLI's form.
        keypair: the key to write; None makes one from the system's randomness.

    Raises:
        KeyFileError: the file exists, cannot be written, or the passphrase is unusable.
    """
    keypair = keypair or Keypair()
    text = _plain_text(keypair) if passphrase is None else _seal(keypair, passphrase)
    _write(path, text, replace=False)
    return keypair.pubkey()


def read(path: Path, *, passphrase: str | Callable[[], str] | None = None) -> Keypair:
    """The key in `path`.

    Args:
        path: a file in either form.
        passphrase: for the encrypted form; a function is called only if it is needed.

    Raises:
        KeyFileError: unreadable, readable by others, malformed, or a wrong passphrase.
    """
    content = _parse(path)
    if isinstance(content, Keypair):
        return content
    if passphrase is None:
        raise KeyFileError(f"key file {path}: is encrypted; give its passphrase in SNIPERFORGE_PASSPHRASE or on stdin")
    return _unseal(path, content, passphrase if isinstance(passphrase, str) else passphrase())


def address(path: Path) -> Pubkey:
    """The public key of `path`; needs no passphrase.  Raises KeyFileError."""
    content = _parse(path)
    if isinstance(content, Keypair):
        return content.pubkey()
    return _public_key(path, content)


def is_encrypted(path: Path) -> bool:
    """Whether `path` is in the encrypted form.  Raises KeyFileError."""
    return not isinstance(_parse(path), Keypair)


def encrypt(path: Path, passphrase: str) -> None:
    """Replaces a key file in the Solana CLI's form by the encrypted one, in one step.  Raises KeyFileError."""
    content = _parse(path)
    if not isinstance(content, Keypair):
        raise KeyFileError(f"key file {path}: is encrypted already")
    _write(path, _seal(content, passphrase), replace=True)


def decrypt(path: Path, passphrase: str) -> None:
    """Replaces an encrypted key file by the Solana CLI's form, in one step.  Raises KeyFileError."""
    content = _parse(path)
    if isinstance(content, Keypair):
        raise KeyFileError(f"key file {path}: is not encrypted")
    _write(path, _plain_text(_unseal(path, content, passphrase)), replace=True)


def _plain_text(keypair: Keypair) -> str:
    return keypair.to_json()


def _read_private(path: Path) -> bytes:
    """The bytes of a file that nobody but us can read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileError(
            f"key file {path}: cannot be opened: {error.strerror}; make one with `sniperforge wallet create`"
        ) from None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"key file {path}: is not a regular file")
        if status.st_uid != os.geteuid():
            raise KeyFileError(
                f"key file {path}: belongs to user {status.st_uid}, not to {os.geteuid()} who runs this; "
                f"do: chown {os.geteuid()} {path}"
            )
        if status.st_mode & 0o077:
            raise KeyFileError(
                f"key file {path}: others can read or change it (mode {stat.S_IMODE(status.st_mode):04o}); "
                f"do: chmod 600 {path}"
            )
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise KeyFileError(f"key file {path}: is not a key file")
    return data


def _parse(path: Path) -> Keypair | _Sealed:
    data = _read_private(path)
    try:
        if data.lstrip()[:1] == b"{":
            return msgspec.json.decode(data, type=_Sealed)
        numbers = msgspec.json.decode(data, type=list[Annotated[int, Meta(ge=0, le=255)]])
    except msgspec.ValidationError as error:
        where = str(error).partition(" - at `$")[2].rstrip("`").lstrip(".")
        raise KeyFileError(f"key file {path}: is malformed{' at ' + where if where else ''}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise KeyFileError(f"key file {path}: is neither an array of 64 numbers nor an encrypted key") from None
    return _keypair(path, bytes(numbers))


def _keypair(path: Path, secret: bytes) -> Keypair:
    if len(secret) != 64:
        raise KeyFileError(f"key file {path}: a key has 64 numbers, this one {len(secret)}")
    keypair = Keypair.from_seed(secret[:32])
    if bytes(keypair.pubkey()) != secret[32:]:
        raise KeyFileError(f"key file {path}: the public key in it does not belong to the secret")
    return keypair


def _public_key(path: Path, sealed: _Sealed) -> Pubkey:
    try:
        return Pubkey.from_string(sealed.public_key)
    except ValueError:
        raise KeyFileError(f"key file {path}: public_key is malformed") from None


def _derive(passphrase: str, salt: bytes, operations: int, memory_bytes: int) -> bytes:
    import nacl.exceptions
    import nacl.pwhash

    secret = passphrase.encode()
    if not secret or "\n" in passphrase or len(secret) > _MAX_PASSPHRASE_BYTES:
        raise KeyFileError(f"passphrase: must be one line of 1 to {_MAX_PASSPHRASE_BYTES} bytes")
    try:
        return nacl.pwhash.argon2id.kdf(_KEY_BYTES, secret, salt, opslimit=operations, memlimit=memory_bytes)
    except nacl.exceptions.CryptoError:
        raise KeyFileError(f"passphrase: no {memory_bytes} bytes of memory to derive the key") from None


def _seal(keypair: Keypair, passphrase: str) -> str:
    import nacl.secret

    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    box = nacl.secret.Aead(_derive(passphrase, salt, _OPERATIONS, _MEMORY_BYTES))
    sealed = _Sealed(
        format="sniperforge-key-1",
        public_key=str(keypair.pubkey()),
        kdf="argon2id13",
        operations=_OPERATIONS,
        memory_bytes=_MEMORY_BYTES,
        salt=salt.hex(),
        cipher="xchacha20poly1305-ietf",
        nonce=nonce.hex(),
        sealed=box.encrypt(bytes(keypair), bytes(keypair.pubkey()), nonce).ciphertext.hex(),
    )
    return msgspec.json.format(msgspec.json.encode(sealed), indent=2).decode()


def _unseal(path: Path, sealed: _Sealed, passphrase: str) -> Keypair:
    import nacl.exceptions
    import nacl.secret

    public_key = _public_key(path, sealed)
    box = nacl.secret.Aead(_derive(passphrase, bytes.fromhex(sealed.salt), sealed.operations, sealed.memory_bytes))
    try:
        secret = box.decrypt(bytes.fromhex(sealed.sealed), bytes(public_key), bytes.fromhex(sealed.nonce))
    except nacl.exceptions.CryptoError:
        raise KeyFileError(f"key file {path}: wrong passphrase, or the file was changed") from None
    keypair = _keypair(path, secret)
    if keypair.pubkey() != public_key:
        raise KeyFileError(f"key file {path}: its public_key is not that of the sealed key")
    return keypair


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Writes a whole file of mode 0600 or none, durably."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="ascii") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(temporary, path)
            else:
                os.link(temporary, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError:
        raise KeyFileError(f"key file {path}: exists; a key is never overwritten, name another file") from None
    except OSError as error:
        raise KeyFileError(f"key file {path}: cannot be written: {error.strerror}") from None
