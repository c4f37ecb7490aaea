"""The shared layouts as text: what cffi, numpy and the ABI hash are made from.

Runs by itself with nothing but the standard library and a C preprocessor, so that
the C build and `setup.py` both use it:

    python3 ipc/abi.py            the hash, as SF_ABI_HASH wants it: 0x0123456789abcdef
    python3 ipc/abi.py --header   a C header that defines SF_ABI_HASH
    python3 ipc/abi.py --text     the text that is hashed
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
from pathlib import Path

INCLUDE = Path(__file__).resolve().parent / "include"
VENUES = INCLUDE.parent.parent / "csrc" / "dex"
"""Headers of the venues: the states of their pools stand behind the heads of market messages, in journals too."""

_STRUCT = re.compile(r"^typedef (?:struct|union) \w+ \{.*?^\}[^;]*;", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CONSTANT = re.compile(r"^#define[ \t]+(SF_[A-Z0-9_]+)[ \t]+([^\s/][^/\n]*)", re.MULTILINE)


def headers() -> list[Path]:
    """Returns the headers of the shared layouts, in the order of their names."""
    return sorted(INCLUDE.glob("sf_*.h"))


def constants() -> list[str]:
    """Returns the names of the integer constants the headers define, in the order of the text."""
    return [name for name, _ in _defined()]


def _defined() -> list[tuple[str, str]]:
    """Names and values of those constants, as they stand in the headers."""
    return [(name, value.strip()) for header in headers() for name, value in _CONSTANT.findall(header.read_text())]


def types() -> str:
    """Returns the types of the headers as the preprocessor leaves them."""
    source = "".join(f'#include "{header.name}"\n' for header in headers())
    command = [os.environ.get("CC") or "cc", "-E", "-P", "-DSF_CDEF", f"-I{INCLUDE}", "-x", "c", "-"]
    return subprocess.run(command, input=source, stdout=subprocess.PIPE, text=True, check=True).stdout


def declarations() -> str:
    """Returns the types as cffi reads them, and each constant as `#define NAME ...`."""
    return types() + "".join(f"#define {name} ...\n" for name in constants())


def states() -> str:
    """Returns the structs of the venues' headers without comments, and the constants that they name."""
    sources = [_COMMENT.sub("", header.read_text()) for header in sorted(VENUES.glob("*.h"))]
    structs = "".join(found for source in sources for found in _STRUCT.findall(source))
    named = set(re.findall(r"SF_[A-Z0-9_]+", structs))
    constants = (pair for source in sources for pair in _CONSTANT.findall(source) if pair[0] in named)
    return structs + "".join(f"{name}={value.strip()};" for name, value in constants)


def text() -> str:
    """Returns the text that is hashed: the types, the constants and the venues' states, without any white space.

    A renumbered constant is as dangerous as a moved field, so it changes the hash too.
    """
    return "".join((types() + states()).split()) + "".join(f"{name}={value};" for name, value in _defined())


def abi_hash() -> int:
    """Returns SF_ABI_HASH: the first eight bytes, big-endian, of the SHA-256 of `text()`."""
    return int.from_bytes(hashlib.sha256(text().encode()).digest()[:8], "big")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints the ABI hash of ipc/include.")
    parser.add_argument("--header", action="store_true", help="as a C header")
    parser.add_argument("--text", action="store_true", help="the text that is hashed")
    arguments = parser.parse_args()
    if arguments.text:
        print(text())
    elif arguments.header:
        print(f"#define SF_ABI_HASH 0x{abi_hash():016x}UL")
    else:
        print(f"0x{abi_hash():016x}")


if __name__ == "__main__":
    main()
