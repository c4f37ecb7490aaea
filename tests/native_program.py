"""A whole emulated program (`csrc/sbf/<name>.c`) compiled for this machine and run on accounts in memory.

The text is the same that runs in the virtual machine. What the machine gives is simple here: the token programs move
amounts, less what a mint withholds, without checks; logs are dropped except for the event; derived addresses come from
solders.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cffi import FFI
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

ROOT = Path(__file__).resolve().parents[1]

PANIC = 2**64 - 1
"""What a run returns when the program stops without an error number."""

DECLARATIONS = """
typedef struct host_account {
  uint8_t key[32], owner[32];
  uint64_t lamports, len;
  uint8_t * data;
  uint8_t signer, writable, executable;
} host_account_t;
extern int64_t host_unix_time;
extern uint64_t host_epoch;
extern uint8_t host_event[1024];
extern uint64_t host_event_len;
extern int (*host_find)( uint8_t const * seeds, uint64_t len, uint8_t const * program_id, uint8_t * address );
int host_open( void );
uint64_t host_run( host_account_t * const * accounts, uint64_t count, uint8_t const * data, uint64_t len,
                   uint8_t const * program_id );
"""

HOST = """
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#define abort host_abort
#include "sbf/{name}.c"
#define HOST_INPUT_MAX ( 4UL << 20 )
{declarations}
#undef abort
static jmp_buf host_panic;
int64_t host_unix_time;
uint64_t host_epoch;
uint8_t host_event[1024];
uint64_t host_event_len;
int (*host_find)( uint8_t const * seeds, uint64_t len, uint8_t const * program_id, uint8_t * address );
static uint8_t host_input[HOST_INPUT_MAX] __attribute__( ( aligned( 16 ) ) );

void host_abort( void ) {{ longjmp( host_panic, 1 ); }}
uint64_t sol_log_( uint8_t const * text, uint64_t len ) {{ (void)text; (void)len; return 0; }}
uint64_t sol_log_data( sbf_bytes_t const * fields, uint64_t count ) {{
  (void)count;
  memcpy( host_event, fields->data, fields->len );
  host_event_len = fields->len;
  return 0;
}}
uint64_t sol_get_clock_sysvar( sbf_clock_t * clock ) {{
  *clock = ( sbf_clock_t ){{ .unix_timestamp = host_unix_time, .epoch = host_epoch }};
  return 0;
}}
uint64_t sol_try_find_program_address( sbf_bytes_t const * seeds, uint64_t count, uint8_t const * program_id,
                                       uint8_t * address, uint8_t * bump ) {{
  uint8_t text[512];
  uint64_t len = 0;
  for( uint64_t i = 0; i < count; i++ ) {{
    text[len++] = (uint8_t)seeds[i].len;
    memcpy( text + len, seeds[i].data, seeds[i].len );
    len += seeds[i].len;
  }}
  *bump = (uint8_t)host_find( text, len, program_id, address );
  return 0;
}}
uint64_t sol_invoke_signed_c( sbf_call_t const * call, sbf_account_t const * accounts, uint64_t count,
                              sbf_signer_t const * signers, uint64_t signer_count ) {{
  (void)signers; (void)signer_count;
  if( !token_is_program( call->program_id ) || count < 3 ) return 0;
  uint64_t amount = sbf_u64( call->data + 1 );
  bool checked    = call->data[0] == 12; /* it names the mint */
  uint8_t *from = accounts[0].data + 64, *to = accounts[checked ? 2 : 1].data + 64;
  token_fee_t rule = {{ 0 }};
  if( checked ) token_fee_read( &rule, &accounts[1], host_epoch );
  sbf_put_u64( from, sbf_u64( from ) - amount );
  sbf_put_u64( to, sbf_u64( to ) + amount - token_fee_of( &rule, amount ) );
  return 0;
}}
int host_open( void ) {{
  return mmap( SBF_HEAP, 32768, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0 ) !=
                 SBF_HEAP;
}}
uint64_t host_run( host_account_t * const * accounts, uint64_t count, uint8_t const * data, uint64_t len,
                   uint8_t const * program_id ) {{
  uint8_t * p = host_input;
  uint8_t * places[64];
  sbf_put_u64( p, count );
  p += 8;
  for( uint64_t i = 0; i < count; i++ ) {{
    host_account_t const * account = accounts[i];
    uint64_t first = 0;
    while( accounts[first] != account ) first++;
    if( first < i ) {{
      memset( p, 0, 8 );
      p[0]      = (uint8_t)first;
      places[i] = 0;
      p += 8;
      continue;
    }}
    memset( p, 0, 8 );
    p[0] = 0xff;
    p[1] = account->signer;
    p[2] = account->writable;
    p[3] = account->executable;
    memcpy( p + 8, account->key, 32 );
    memcpy( p + 40, account->owner, 32 );
    sbf_put_u64( p + 72, account->lamports );
    sbf_put_u64( p + 80, account->len );
    places[i] = p + 88;
    memcpy( p + 88, account->data, account->len );
    p += 88 + account->len + 10240;
    p += -(uintptr_t)p & 7;
    sbf_put_u64( p, 0 );
    p += 8;
  }}
  sbf_put_u64( p, len );
  memcpy( p + 8, data, len );
  memcpy( p + 8 + len, program_id, 32 );
  memset( SBF_HEAP, 0, 32768 );
  host_event_len = 0;
  if( setjmp( host_panic ) ) return UINT64_MAX;
  uint64_t code = entrypoint( host_input );
  for( uint64_t i = 0; !code && i < count; i++ )
    if( places[i] && accounts[i]->writable ) memcpy( accounts[i]->data, places[i], accounts[i]->len );
  return code;
}}
"""


@lru_cache(maxsize=100_000)
def _derived(seeds: bytes, program_id: bytes) -> tuple[bytes, int]:
    parts, at = [], 0
    while at < len(seeds):
        parts.append(seeds[at + 1 : at + 1 + seeds[at]])
        at += 1 + seeds[at]
    address, bump = Pubkey.find_program_address(parts, Pubkey.from_bytes(program_id))
    return bytes(address), bump


class NativeProgram:
    """One program in this process. Only one can be open at a time: its heap has a fixed address."""

    def __init__(self, directory: Path, name: str) -> None:
        source, library = directory / f"{name}_host.c", directory / f"{name}_host.so"
        source.write_text(HOST.format(name=name, declarations=DECLARATIONS))
        subprocess.run(
            [
                *shlex.split(os.environ.get("CC", "gcc")),
                *("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"),
                *("-Wno-clobbered", f"-I{ROOT / 'csrc'}", str(source), "-o", str(library)),
            ],
            check=True,
            timeout=600,
        )
        self.ffi = FFI()
        self.ffi.cdef(DECLARATIONS)
        self.lib: Any = self.ffi.dlopen(str(library))
        self._find = self.ffi.callback("int(uint8_t const *, uint64_t, uint8_t const *, uint8_t *)", self._find_address)
        self.lib.host_find = self._find
        self.lib.host_open()  # already open: the same heap serves all programs, one run at a time
        self.accounts: dict[Pubkey, Any] = {}
        self._keep: list[Any] = []

    def _find_address(self, seeds: Any, length: int, program_id: Any, out: Any) -> int:
        address, bump = _derived(self.ffi.buffer(seeds, length)[:], self.ffi.buffer(program_id, 32)[:])
        self.ffi.memmove(out, address, 32)
        return bump

    def set_time(self, unix_time: int) -> None:
        self.lib.host_unix_time = unix_time

    def load(self, accounts: Mapping[Pubkey, Account]) -> None:
        """Forgets all accounts and takes these."""
        self.accounts, self._keep = {}, []
        for key, account in accounts.items():
            self._add(key, bytes(account.owner), account.lamports, account.data)

    def _add(self, key: Pubkey, owner: bytes, lamports: int, data: bytes) -> Any:
        memory = self.ffi.new("uint8_t[]", bytes(data) or b"\0")
        entry = self.ffi.new("host_account_t *")
        entry.key, entry.owner, entry.lamports = bytes(key), owner, lamports
        entry.data, entry.len = memory, len(data)
        self._keep.append(memory)
        self.accounts[key] = entry
        return entry

    def data(self, key: Pubkey) -> bytes:
        """An account's bytes now."""
        entry = self.accounts[key]
        return bytes(self.ffi.buffer(entry.data, entry.len))

    def put(self, key: Pubkey, at: int, data: bytes) -> None:
        """Overwrites bytes of an account."""
        self.ffi.memmove(self.accounts[key].data + at, data, len(data))

    def event(self) -> bytes:
        """What the last run logged as data."""
        return bytes(self.ffi.buffer(self.lib.host_event, self.lib.host_event_len))

    def run(self, instruction: Instruction) -> int:
        """Runs the program; its code, 0 for success. Accounts that were not loaded are empty, but for programs."""
        entries = []
        for meta in instruction.accounts:
            entry = self.accounts.get(meta.pubkey)
            if entry is None:
                entry = self._add(meta.pubkey, bytes(32), 0, b"")
                entry.executable = 1
            entry.signer, entry.writable = meta.is_signer, meta.is_writable
            entries.append(entry)
        data = bytes(instruction.data)
        return int(self.lib.host_run(entries, len(entries), data, len(data), bytes(instruction.program_id)))
