"""Makes the C source of `ipc._core` for cffi: the shared layouts, binding.h and binding.c.

Called by setup.py, which has built the static library first.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a build in isolation does not have it

from ipc import abi  # noqa: E402

LIBRARY = ROOT / "build" / "release" / "libsniperforge.a"
LIBRARIES = ["-luring", "-lnuma", "-lsodium", "-lssl", "-lcrypto", "-lm", "-lpthread"]
C_FLAGS = ["-std=gnu11", "-O3", "-march=x86-64-v2", "-fno-strict-aliasing", "-Wall", "-Wextra"]


def definitions() -> str:
    """Returns what cffi reads: layouts, constants and functions, without comments."""
    binding = (ROOT / "ipc" / "binding.h").read_text()
    return abi.declarations() + re.sub(r"/\*.*?\*/", "", binding, flags=re.DOTALL)


def sources() -> list[str]:
    """Returns all files whose change makes a new `ipc._core` necessary."""
    found = [*abi.headers(), *(ROOT / "csrc").rglob("*.h"), *(ROOT / "ipc").glob("b*.[chp]*"), LIBRARY]
    return [str(path) for path in found]


ffibuilder = FFI()
ffibuilder.cdef(definitions())
ffibuilder.set_source(
    "ipc._core",
    '#include "binding.c"\n',
    include_dirs=[str(ROOT / directory) for directory in ("ipc", "ipc/include", "csrc")],
    extra_compile_args=C_FLAGS,
    # all of the library, also what only the tile table names; then what it needs, in this order
    extra_link_args=["-Wl,--whole-archive", str(LIBRARY), "-Wl,--no-whole-archive", *LIBRARIES],
    depends=sources(),
)
