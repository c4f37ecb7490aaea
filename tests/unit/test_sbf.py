"""The linker of emulated programs, and the integer arithmetic that they are compiled with."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

from sniperforge.simnet import emulation, sbf

RETURN = "extern void sol_set_return_data( uint8_t const * data, uint64_t len );\n"

ARITHMETIC = (
    '#include "sbf/sbf.h"\n'
    + RETURN
    + """
/* Data: n (16), d (16), a (8), b (8).  Returns n/d, n%d, n*a or 0 with its carry, a*b/d.lo up and down. */
uint64_t
entrypoint( uint8_t * input ) {
  sbf_instruction_t in;
  sbf_u128_t * out = SBF_HEAP;
  sbf_parse( input, (sbf_account_t *)( out + 8 ), 0, &in );
  uint8_t const * p = in.data;
  sbf_u128_t n = { sbf_u64( p ), sbf_u64( p + 8 ) }, d = { sbf_u64( p + 16 ), sbf_u64( p + 24 ) };
  uint64_t a = sbf_u64( p + 32 ), b = sbf_u64( p + 40 );
  sbf_u128_div( out, out + 1, &n, &d );
  out[3] = sbf_u128( sbf_u128_mul64( out + 2, &n, a ) );
  if( d.lo ) {
    sbf_mul_div( out + 4, a, b, d.lo, false );
    sbf_mul_div( out + 5, a, b, d.lo, true );
  }
  sol_set_return_data( (uint8_t const *)out, 96 );
  return 0;
}
"""
)

POINTERS = (
    '#include "sbf/sbf.h"\n'
    + RETURN
    + """
static char const * const words[] = { "first", "second" };
static struct { uint8_t const * key; uint64_t seven; } const table[2] = { { 0, 7 }, { (uint8_t const *)"third", 7 } };

uint64_t pick( uint64_t i );

uint64_t
entrypoint( uint8_t * input ) {
  sbf_instruction_t in;
  sbf_account_t * accounts = SBF_HEAP;
  sbf_parse( input, accounts, 3, &in );
  return pick( in.data[0] ) + 1000 * in.account_count + 10000 * ( accounts[0].data == accounts[2].data );
}

__attribute__( ( noinline ) ) uint64_t
pick( uint64_t i ) {
  char const * word = i < 2 ? words[i] : (char const *)table[1].key;
  sol_log_( (uint8_t const *)word, i == 1 ? 6 : 5 );
  return table[i & 1].seven;
}
"""
)

Build = Callable[[str], bytes]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Compiles and links C text."""
    if not any(map(shutil.which, sbf.CLANG_NAMES)):
        pytest.skip("clang is not installed")

    def build_text(text: str) -> bytes:
        source = tmp_path / "program.c"
        source.write_text(text)
        return sbf.link(sbf.compile_source(source), b"hash of the source")

    return build_text


class Program:
    """One program in its own SVM."""

    def __init__(self, elf: bytes) -> None:
        self.svm, self.payer, self.address = LiteSVM(), Keypair(), Pubkey.new_unique()
        self.svm.add_program(self.address, elf)
        self.svm.airdrop(self.payer.pubkey(), 10**10)

    def call(self, data: bytes, *accounts: Pubkey) -> object:
        metas = [AccountMeta(key, False, False) for key in accounts]
        message = Message([Instruction(self.address, data, metas)], self.payer.pubkey())
        self.svm.expire_blockhash()
        return self.svm.send_transaction(Transaction([self.payer], message, self.svm.latest_blockhash()))


def test_wide_integers_agree_with_python(build: Build) -> None:
    program = Program(build(ARITHMETIC))
    rng = random.Random(1)

    def number(bits: int) -> int:
        value = rng.getrandbits(rng.randrange(1, bits + 1))
        edge = rng.choice([0, 0, 0, 1, -1])  # near powers of two, where digits carry
        return (1 << value.bit_length()) + edge & (1 << bits) - 1 if rng.random() < 0.3 else value

    for _ in range(3000):
        n, d, a, b = number(128), number(128) or 1, number(64), number(64)
        data = n.to_bytes(16, "little") + d.to_bytes(16, "little") + struct.pack("<QQ", a, b)
        result = program.call(data)
        assert not isinstance(result, FailedTransactionMetadata), (n, d, result)
        found = bytes(result.return_data().data).ljust(96, b"\0")  # type: ignore[attr-defined]
        words = [int.from_bytes(found[i : i + 16], "little") for i in range(0, 96, 16)]
        assert words[:2] == [n // d, n % d], (n, d)
        assert words[3] == (n * a < 1 << 128) and words[2] == n * a & (1 << 128) - 1, (n, a)
        if low := d & (1 << 64) - 1:
            assert words[4:] == [a * b // low, -(-a * b // low)], (a, b, low)


def test_pointers_calls_and_repeated_accounts(build: Build) -> None:
    program = Program(build(POINTERS))
    one, two = Pubkey.new_unique(), Pubkey.new_unique()
    for i, word in enumerate(("first", "second", "third")):
        result = program.call(bytes([i]), one, two, one, two, two)
        assert result.err().err.code == 7 + 5000 + 10000  # type: ignore[attr-defined]
        assert f"Program log: {word}" in result.meta().logs()  # type: ignore[attr-defined]


def test_a_program_without_system_calls(build: Build) -> None:
    result = Program(build("unsigned long entrypoint( void ) { return 5; }")).call(b"")
    assert result.err().err.code == 5  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unsigned long run( void ) { return 0; }", "entrypoint"),
        ("static int x; unsigned long entrypoint( void ) { return (unsigned long)x++; }", "writable"),
        (
            "static int volatile x = 3; unsigned long entrypoint( void ) { return (unsigned long)x; }",
            "writable",
        ),
        (
            "extern int puts( char const * ); unsigned long entrypoint( void ) { return !puts( 0 ); }",
            "puts is undefined",
        ),
        ("unsigned long entrypoint( void ) { return y; }", "does not compile"),
        (
            "unsigned long entrypoint( unsigned char * in )"
            "{ char volatile a[600]; a[*in] = 1; return (unsigned long)a[1]; }",
            "stack",
        ),
    ],
)
def test_what_cannot_be_a_program_is_refused(build: Build, text: str, words: str) -> None:
    with pytest.raises(sbf.SbfError, match=words):
        build(text)


def test_files_are_rebuilt_only_when_their_source_changed(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "csrc" / "sbf"
    shutil.copytree(sbf.SOURCE_DIR, folder)
    monkeypatch.setattr(sbf, "SOURCE_DIR", folder)
    out = tmp_path / "out"
    first = {path: (path.stat().st_ino, path.read_bytes()) for path in sbf.build_programs(out)}
    assert {path.stem for path in first} == set(emulation.EMULATED.values()) == set(sbf.program_names())
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in sbf.build_programs(out)} == first
    assert all(sbf.built_from(elf) == sbf.source_hash(path.stem) for path, (_, elf) in first.items())
    with (folder / "sbf.h").open("a") as header:
        header.write("/* changed */\n")
    again = {path: path.stat().st_ino for path in sbf.build_programs(out)}
    assert all(inode != first[path][0] for path, inode in again.items())
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in first)


def test_programs_are_taken_as_built_when_there_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbf, "SOURCE_DIR", tmp_path / "absent")
    monkeypatch.setattr(emulation, "PROGRAM_DIR", tmp_path)
    with pytest.raises(emulation.EmulationError, match=r"python -m sniperforge\.simnet\.sbf"):
        emulation.load_programs()
    for name in emulation.EMULATED.values():
        (tmp_path / f"{name}.so").write_bytes(name.encode())
    assert set(emulation.load_programs().values()) == {name.encode() for name in emulation.EMULATED.values()}


def test_a_missing_compiler_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(emulation, "PROGRAM_DIR", tmp_path)
    with pytest.raises(emulation.EmulationError, match="make deps") as failure:
        emulation.load_programs()
    assert str(tmp_path) in str(failure.value)


@pytest.mark.parametrize("junk", [b"", b"\x7fELF", b"\x7fELF" + bytes(60), b"\x7fELF" + b"\xff" * 200])
def test_files_that_are_not_programs_have_no_source(junk: bytes) -> None:
    assert sbf.built_from(junk) is None


def test_building_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules.update(solders=None, cffi=None, msgspec=None);"
        "import sniperforge.simnet.sbf as sbf; sys.exit(sbf.main([]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (run.returncode, run.stderr.split(":")[0]) == (2, "usage")
