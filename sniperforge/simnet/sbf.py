"""Compiles the emulated on-chain programs of ``csrc/sbf/`` into ELF files that Solana's loader runs.

No Solana toolchain is needed: ``clang -target bpf`` (upstream LLVM's eBPF back end) makes a
relocatable object, and :func:`link` turns it into the shared object of SBPF version 0::

    file header | program headers | .text | .rodata | .dynamic | .dynsym | .dynstr | .rel.dyn
                | .source | .shstrtab | section headers

Every address equals its file offset; the virtual machine maps the file's read-only part at
``0x1_0000_0000``, so references to data are written as final addresses here.  Only calls of syscalls
are left to the loader: an ``R_BPF_64_32`` relocation against an undefined dynamic symbol, with -1 in
the instruction.  Calls between functions stay relative to the program counter, which the loader
accepts.  ``.source`` holds the hash of everything the file was made from (:func:`source_hash`).

Sources: anza-xyz/sbpf ``elf.rs`` (``load_with_lenient_parser``), LLVM's BPF relocation list.

    python -m sniperforge.simnet.sbf OUT_DIR      builds OUT_DIR/<program>.so for every program
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SOURCE_DIR = Path(__file__).resolve().parents[2] / "csrc" / "sbf"
"""Where the programs' sources are; absent in an installed package, which carries them built."""

CLANG_NAMES = ("clang-14", "clang")
CLANG_FLAGS = (
    "-target", "bpf", "-mcpu=v2", "-O2", "-std=gnu11", "-ffreestanding", "-fno-builtin",
    "-Wall", "-Wextra", "-Werror",
)  # fmt: skip

PROGRAM_BASE = 0x1_0000_0000  # where the virtual machine maps the file
R_BPF_64_64, R_BPF_64_ABS64, R_BPF_64_32 = 1, 2, 10
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS, SHT_REL = 1, 2, 3, 8, 9
SHT_DYNAMIC, SHT_DYNSYM = 6, 11
SHF_WRITE, SHF_ALLOC, SHF_EXECUTE = 1, 2, 4
STT_SECTION = 3
SOURCE_SECTION = b".source"


class SbfError(Exception):
    """An emulated program cannot be compiled or linked; the text says what to do."""


@dataclass(frozen=True)
class _Section:
    index: int
    name: str
    kind: int
    flags: int
    alignment: int
    info: int
    data: bytes


@dataclass(frozen=True)
class _Symbol:
    name: str
    kind: int
    section: int
    value: int


def _string(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode()


def _sections(elf: bytes) -> list[_Section]:
    """The section table of a 64-bit little-endian ELF file."""
    (offset,) = struct.unpack_from("<Q", elf, 40)
    count, names_index = struct.unpack_from("<HH", elf, 60)
    headers = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + 64 * i) for i in range(count)]
    names_header = headers[names_index]
    names = elf[names_header[4] : names_header[4] + names_header[5]]
    return [
        _Section(
            index=i,
            name=_string(names, name),
            kind=kind,
            flags=flags,
            alignment=max(alignment, 1),
            info=info,
            data=bytes(size) if kind == SHT_NOBITS else elf[start : start + size],
        )
        for i, (name, kind, flags, _, start, size, _, info, alignment, _) in enumerate(headers)
    ]


def _symbols(sections: list[_Section]) -> list[_Symbol]:
    table = next(s.data for s in sections if s.kind == SHT_SYMTAB)
    names = next(s.data for s in sections if s.name == ".strtab")
    symbols = []
    for name, info, _, section, value, _ in struct.iter_unpack("<IBBHQQ", table):
        symbols.append(_Symbol(_string(names, name), info & 15, section, value))
    return symbols


def _place(sections: list[_Section], text_start: int) -> tuple[dict[int, int], int, bytearray]:
    """Addresses of the sections that go into the file; start and bytes of the read-only data."""
    text = [s for s in sections if s.flags & SHF_EXECUTE and s.data]
    if len(text) != 1 or text[0].name != ".text":
        raise SbfError(f"one .text section is needed, found {[s.name for s in text]}")
    addresses = {text[0].index: text_start}
    rodata_start = -(-(text_start + len(text[0].data)) // 16) * 16
    rodata = bytearray()
    for section in sections:
        if not section.flags & SHF_ALLOC or section.flags & SHF_EXECUTE or not section.data:
            continue
        if section.flags & SHF_WRITE and not section.name.startswith(".data.rel"):
            raise SbfError(f"{section.name}: a program has no writable data; make it const")
        rodata += bytes(-len(rodata) % section.alignment)
        addresses[section.index] = rodata_start + len(rodata)
        rodata += section.data
    return addresses, rodata_start, rodata


def link(object_file: bytes, source: bytes) -> bytes:
    """Links one relocatable eBPF object into the ELF shared object that Solana's loader accepts.

    ``object_file`` must define the global function ``entrypoint`` and may leave only ``sol_*`` and
    ``abort`` undefined.  ``source`` is stored in the file (see :func:`built_from`).
    Raises SbfError when the object has writable data, an unknown relocation or an undefined symbol.
    """
    sections = _sections(object_file)
    symbols = _symbols(sections)
    text_start = 64 + 4 * 56
    addresses, rodata_start, rodata = _place(sections, text_start)
    text_section = next(s for s in sections if addresses.get(s.index) == text_start)
    text = bytearray(text_section.data)
    syscalls: list[str] = []
    calls: list[tuple[int, int]] = []  # (file offset, dynamic symbol index)

    for table in (s for s in sections if s.kind == SHT_REL and s.info in addresses):
        in_text = table.info == text_section.index
        base = addresses[table.info] - rodata_start
        for offset, info in struct.iter_unpack("<QQ", table.data):
            symbol, kind = symbols[info >> 32], info & 0xFFFFFFFF
            if in_text and kind == R_BPF_64_64:
                (addend,) = struct.unpack_from("<I", text, offset + 4)
                address = PROGRAM_BASE + _address(symbol, addresses) + addend
                struct.pack_into("<I", text, offset + 4, address & 0xFFFFFFFF)
                struct.pack_into("<I", text, offset + 12, address >> 32)
            elif not in_text and kind == R_BPF_64_ABS64:
                (addend,) = struct.unpack_from("<Q", rodata, base + offset)
                address = PROGRAM_BASE + _address(symbol, addresses) + addend
                struct.pack_into("<Q", rodata, base + offset, address)
            elif in_text and kind == R_BPF_64_32 and symbol.section == text_section.index:
                if symbol.kind == STT_SECTION:
                    continue  # already relative to the program counter
                struct.pack_into("<i", text, offset + 4, (symbol.value - offset) // 8 - 1)
            elif in_text and kind == R_BPF_64_32 and symbol.section == 0:
                if not symbol.name.startswith("sol_") and symbol.name != "abort":
                    raise SbfError(f"{symbol.name} is undefined; a program may call sol_* syscalls")
                if symbol.name not in syscalls:
                    syscalls.append(symbol.name)
                struct.pack_into("<i", text, offset + 4, -1)
                calls.append((text_start + offset, 1 + syscalls.index(symbol.name)))
            else:
                raise SbfError(f"{table.name}+{offset}: relocation type {kind} is not supported")

    entries = [s.value for s in symbols if s.name == "entrypoint" and s.section]
    if len(entries) != 1:
        raise SbfError("the program does not define entrypoint()")
    return _shared_object(
        bytes(text), text_start, bytes(rodata), rodata_start, syscalls, calls, text_start + entries[0], source
    )


def _address(symbol: _Symbol, addresses: dict[int, int]) -> int:
    if symbol.section not in addresses:
        raise SbfError(f"{symbol.name or 'a section'} is not part of the program")
    return addresses[symbol.section] + symbol.value


def _shared_object(
    text: bytes,
    text_start: int,
    rodata: bytes,
    rodata_start: int,
    syscalls: list[str],
    calls: list[tuple[int, int]],
    entry: int,
    source: bytes,
) -> bytes:
    """Writes the file: headers, the given sections, the dynamic tables, the section table."""
    dynstr = b"\0" + b"".join(syscall.encode() + b"\0" for syscall in syscalls)
    dynsym = bytes(24)
    name_offset = 1
    for syscall in syscalls:
        dynsym += struct.pack("<IBBHQQ", name_offset, 1 << 4, 0, 0, 0, 0)
        name_offset += len(syscall) + 1
    relocations = b"".join(struct.pack("<QQ", offset, symbol << 32 | R_BPF_64_32) for offset, symbol in calls)
    dynamic_start = -(-(rodata_start + len(rodata)) // 8) * 8
    dynsym_start = dynamic_start + 16 * 8
    dynstr_start = dynsym_start + len(dynsym)
    rel_start = -(-(dynstr_start + len(dynstr)) // 8) * 8
    dynamic = b"".join(
        struct.pack("<QQ", tag, value)
        for tag, value in (
            (30, 4),  # DT_FLAGS: DF_TEXTREL
            (17, rel_start if calls else 0),  # DT_REL
            (18, len(relocations)),  # DT_RELSZ
            (19, 16),  # DT_RELENT
            (6, dynsym_start),  # DT_SYMTAB
            (11, 24),  # DT_SYMENT
            (5, dynstr_start),  # DT_STRTAB
            (0, 0),
        )
    )
    dynamic_end = rel_start + len(relocations)
    read_only, dynamic_flags = SHF_ALLOC, SHF_ALLOC | SHF_WRITE
    # name, type, flags, address, bytes, link, info, alignment, entry size
    table = [
        (b".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECUTE, text_start, text, 0, 0, 8, 0),
        (b".rodata", SHT_PROGBITS, read_only, rodata_start, rodata, 0, 0, 16, 0),
        (b".dynamic", SHT_DYNAMIC, dynamic_flags, dynamic_start, dynamic, 5, 0, 8, 16),
        (b".dynsym", SHT_DYNSYM, read_only, dynsym_start, dynsym, 5, 1, 8, 24),
        (b".dynstr", SHT_STRTAB, read_only, dynstr_start, dynstr, 0, 0, 1, 0),
        (b".rel.dyn", SHT_REL, read_only, rel_start, relocations, 4, 0, 8, 16),
        (SOURCE_SECTION, SHT_PROGBITS, 0, dynamic_end, source, 0, 0, 1, 0),
    ]
    names = b"\0" + b"".join(row[0] + b"\0" for row in table) + b".shstrtab\0"
    table.append((b".shstrtab", SHT_STRTAB, 0, dynamic_end + len(source), names, 0, 0, 1, 0))
    section_table = -(-(dynamic_end + len(source) + len(names)) // 8) * 8

    out = bytearray(section_table)
    out[:16] = b"\x7fELF\x02\x01\x01" + bytes(9)
    struct.pack_into(
        "<HHIQQQIHHHHHH", out, 16,
        3, 247, 1, entry, 64, section_table, 0, 64, 56, 4, 64, 1 + len(table), len(table),
    )  # fmt: skip
    segments = [  # type, flags, start, end
        (1, 5, text_start, text_start + len(text)),
        (1, 4, rodata_start, rodata_start + len(rodata)),
        (1, 6, dynamic_start, dynamic_end),
        (2, 6, dynamic_start, dynamic_start + len(dynamic)),
    ]
    for i, (kind, flags, start, end) in enumerate(segments):
        size = end - start
        struct.pack_into("<IIQQQQQQ", out, 64 + 56 * i, kind, flags, start, start, start, size, size, 8)
    out += bytes(64)
    for name, kind, flags, start, data, link_to, info, alignment, entry_size in table:
        out[start : start + len(data)] = data
        address = start if flags & SHF_ALLOC else 0
        out += struct.pack(
            "<IIQQQQIIQQ", names.index(b"\0" + name + b"\0") + 1, kind, flags, address, start,
            len(data), link_to, info, alignment, entry_size,
        )  # fmt: skip
    return bytes(out)


def program_names() -> list[str]:
    """Names of the emulated programs whose sources are here, sorted."""
    return sorted(path.stem for path in SOURCE_DIR.glob("*.c"))


def source_hash(name: str) -> bytes:
    """SHA-256 over all a program's file is made from: its source, the headers, this module."""
    digest = hashlib.sha256()
    for path in [SOURCE_DIR / f"{name}.c", *sorted(SOURCE_DIR.glob("*.h")), Path(__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.digest()


def built_from(elf: bytes) -> bytes | None:
    """The source hash stored in a file made by :func:`link`, or None when it is not such a file."""
    if elf[:4] != b"\x7fELF":
        return None
    try:
        found = [s.data for s in _sections(elf) if s.name == SOURCE_SECTION.decode()]
    except (struct.error, IndexError, ValueError, OverflowError):
        return None
    return found[0] if found else None


def compile_source(source: Path) -> bytes:
    """Compiles one C source to a relocatable eBPF object; raises SbfError with clang's messages."""
    clang = next(filter(None, map(shutil.which, CLANG_NAMES)), None)
    if clang is None:
        raise SbfError(f"no {' or '.join(CLANG_NAMES)} found; install it with `make deps`")
    with tempfile.TemporaryDirectory(prefix="sf-sbf-") as scratch:
        output = Path(scratch) / "program.o"
        run = subprocess.run(
            [clang, *CLANG_FLAGS, f"-I{SOURCE_DIR.parent}", "-c", str(source), "-o", str(output)],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise SbfError(f"{source.name} does not compile:\n{run.stderr.strip()}")
        return output.read_bytes()


def build_program(name: str, out_dir: Path) -> Path:
    """Builds ``out_dir/<name>.so`` unless it is already made from the present source."""
    target = out_dir / f"{name}.so"
    wanted = source_hash(name)
    if target.exists() and built_from(target.read_bytes()) == wanted:
        return target
    elf = link(compile_source(SOURCE_DIR / f"{name}.c"), wanted)
    out_dir.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=out_dir, prefix=f".{name}-")
    with os.fdopen(handle, "wb") as file:
        file.write(elf)
    os.chmod(scratch, 0o644)
    os.replace(scratch, target)
    return target


def build_programs(out_dir: Path | str) -> list[Path]:
    """Builds every emulated program into ``out_dir`` and returns the files."""
    return [build_program(name, Path(out_dir)) for name in program_names()]


def main(arguments: Iterable[str]) -> int:
    """The command line: one argument, the output directory."""
    try:
        (out_dir,) = arguments
    except ValueError:
        print("usage: python -m sniperforge.simnet.sbf OUT_DIR", file=sys.stderr)
        return 2
    try:
        for path in build_programs(out_dir):
            print(path)
    except SbfError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
