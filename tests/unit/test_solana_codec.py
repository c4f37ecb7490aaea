"""The C codec against solders, byte for byte: parsing, compiling, derived addresses, base58, fees."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, CompiledInstruction, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageAddressTableLookup, MessageHeader, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID
from spl.token.instructions import get_associated_token_address

from tests.data import data_dir
from tests.unit.solana_codec import Codec

CURVE_PRIME = 2**255 - 19


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Codec]:
    with Codec.build(tmp_path_factory.mktemp("codec")) as codec:
        yield codec


def hexed(data: bytes) -> str:
    return data.hex() or "-"


def expected_view(message: Message | MessageV0, signatures: int, whole: bytes) -> str:
    """What the codec has to answer about `message`, by what solders read."""
    header = message.header
    lookups = message.address_table_lookups if isinstance(message, MessageV0) else []
    added = [True for look in lookups for _ in look.writable_indexes]
    added += [False for look in lookups for _ in look.readonly_indexes]
    keys = message.account_keys
    signed, unsigned = header.num_required_signatures, len(keys) - header.num_required_signatures
    flags = [2 + (i < signed - header.num_readonly_signed_accounts) for i in range(signed)]
    flags += [int(i < unsigned - header.num_readonly_unsigned_accounts) for i in range(unsigned)]
    flags += [int(writable) for writable in added]
    return " ".join(
        [
            "0" if isinstance(message, MessageV0) else "255",
            str(signatures),
            f"{signed} {header.num_readonly_signed_accounts} {header.num_readonly_unsigned_accounts}",
            hexed(b"".join(map(bytes, keys))),
            bytes(message.recent_blockhash).hex(),
            "".join(
                f"{one.program_id_index}:{hexed(bytes(one.accounts))}:{hexed(bytes(one.data))},"
                for one in message.instructions
            ),
            "".join(
                f"{bytes(look.account_key).hex()}:{hexed(bytes(look.writable_indexes))}:"
                f"{hexed(bytes(look.readonly_indexes))},"
                for look in lookups
            ),
            "".join(map(str, flags)),
            whole.hex(),
        ]
    )


def reference_transaction(data: bytes) -> str:
    """The codec's answer to a transaction by solders' account, or "error"."""
    try:
        transaction = VersionedTransaction.from_bytes(data)
        if bytes(transaction) != data:
            return "error"  # bytes behind the end, which solders ignores
        transaction.sanitize()
    except Exception:  # solders raises several kinds
        return "error"
    message = transaction.message
    if not isinstance(message, Message | MessageV0):
        return "error"  # later versions
    return expected_view(message, len(transaction.signatures), data)


def corpus() -> list[Path]:
    return sorted((data_dir() / "tx/firedancer_txn").glob("*.bin"))


def random_message(rng: random.Random) -> Message | MessageV0:
    """A valid message with any header, instructions and lookups."""
    key_count = rng.choice([1, 2, 3, 10, 40, 127, 128, 130, 250])
    keys = [Pubkey.from_bytes(rng.randbytes(32)) for _ in range(key_count)]
    signed = rng.randint(1, min(key_count, 20))
    header = MessageHeader(signed, rng.randint(0, signed - 1), rng.randint(0, key_count - signed))
    v0 = rng.random() < 0.6
    room = 256 - key_count
    lookups = []
    looked_up = 0
    while v0 and rng.random() < 0.5 and looked_up < room:
        count = rng.randint(1, min(room - looked_up, 140))
        split = rng.randint(0, count)
        indexes = rng.randbytes(count)
        lookups.append(
            MessageAddressTableLookup(Pubkey.from_bytes(rng.randbytes(32)), indexes[:split], indexes[split:])
        )
        looked_up += count
    instructions = [
        CompiledInstruction(
            rng.randint(1, key_count - 1),
            rng.randbytes(rng.choice([0, 1, 9, 24, 127, 128, 300])),
            bytes(rng.randrange(key_count + looked_up) for _ in range(rng.choice([0, 1, 5, 13, 130]))),
        )
        for _ in range(rng.choice([0, 1, 3, 6, 130]) if key_count > 1 else 0)
    ]
    blockhash = Hash.from_bytes(rng.randbytes(32))
    if v0:
        return MessageV0(header, keys, blockhash, instructions, lookups)
    return Message.new_with_compiled_instructions(
        header.num_required_signatures,
        header.num_readonly_signed_accounts,
        header.num_readonly_unsigned_accounts,
        keys,
        blockhash,
        instructions,
    )


def message_bytes(message: Message | MessageV0) -> bytes:
    """The message as it is signed: a v0 message with its version byte."""
    data = bytes(message)
    if isinstance(message, MessageV0) and data[0] != 0x80:
        data = b"\x80" + data
    assert bytes(from_bytes_versioned(data)) in (data, data[1:])
    return data


def test_corpus_is_read_as_solders_reads_it(codec: Codec) -> None:
    read = 0
    for path in corpus():
        data = path.read_bytes()
        expected = reference_transaction(data)
        answer = codec.ask("transaction", data)
        assert answer == expected or (expected == "error" and answer.startswith("error")), path.name
        read += expected != "error"
    assert read >= 10  # a few are there to be refused


def test_corpus_cut_at_every_byte_is_an_error(codec: Codec) -> None:
    for path in corpus():
        data = path.read_bytes()
        for length in range(len(data)):
            assert codec.ask("transaction", data[:length]).startswith("error transaction: "), (path.name, length)
        assert codec.ask("transaction", data + b"\0").startswith("error transaction: ")


def test_corpus_with_bytes_changed_is_judged_as_solders_does(codec: Codec) -> None:
    rng = random.Random(2)
    outcomes = set()
    for path in corpus():
        original = path.read_bytes()
        for _ in range(300):
            data = bytearray(original)
            for _ in range(rng.randint(1, 3)):
                at = rng.randrange(len(data))
                if data[at] and rng.random() < 0.4:
                    data[at] += rng.choice([-1, 1]) if data[at] < 255 else -1
                else:
                    data[at] = rng.choice([0, 1, 2, 0x7F, 0x80, 0x81, 0xFF, rng.randrange(256)])
            expected = reference_transaction(bytes(data))
            answer = codec.ask("transaction", bytes(data))
            if expected == "error":
                assert answer.startswith("error "), data.hex()
            else:
                assert answer == expected, data.hex()
            outcomes.add(expected == "error")
    assert outcomes == {True, False}


def test_random_messages_make_the_round_trip(codec: Codec) -> None:
    rng = random.Random(3)
    for _ in range(600):
        message = random_message(rng)
        data = message_bytes(message)
        assert codec.ask("message", data) == expected_view(message, 0, data)
        signatures = [Signature.from_bytes(rng.randbytes(64)) for _ in range(message.header.num_required_signatures)]
        whole = bytes(VersionedTransaction.populate(message, signatures))
        assert codec.ask("transaction", whole) == expected_view(message, len(signatures), whole)


def test_random_bytes_are_judged_as_solders_does(codec: Codec) -> None:
    rng = random.Random(4)
    for _ in range(2000):
        data = rng.randbytes(rng.randint(0, 300))
        if rng.random() < 0.7:
            data = b"\x01" + bytes(64) + rng.choice([b"\x80", b""]) + b"\x01\x00\x01\x02" + data
        expected = reference_transaction(data)
        answer = codec.ask("transaction", data)
        assert answer == expected if expected != "error" else answer.startswith("error "), data.hex()


def test_compiled_messages_are_those_of_solders(codec: Codec) -> None:
    rng = random.Random(5)
    for _ in range(300):
        keys = [Pubkey.from_bytes(rng.randbytes(32)) for _ in range(rng.randint(2, 25))]
        payer, blockhash = rng.choice(keys), Hash.from_bytes(rng.randbytes(32))
        instructions = [
            Instruction(
                rng.choice([key for key in keys if key != payer]),
                rng.randbytes(rng.randint(0, 40)),
                [
                    AccountMeta(rng.choice(keys), rng.random() < 0.1, rng.random() < 0.5)
                    for _ in range(rng.randint(0, 14))
                ],
            )
            for _ in range(rng.randint(0, 5))
        ]
        words: list[bytes | str] = []
        for one in instructions:
            words += [bytes(one.program_id), one.data]
            words += [bytes(a.pubkey) + bytes([a.is_signer, a.is_writable]) for a in one.accounts]
            words.append(";")
        v0 = MessageV0.try_compile(payer, instructions, [], blockhash)
        assert codec.ask("compile", 0, bytes(payer), bytes(blockhash), *words) == message_bytes(v0).hex()
        legacy = Message.new_with_blockhash(instructions, payer, blockhash)
        assert codec.ask("compile", 255, bytes(payer), bytes(blockhash), *words) == message_bytes(legacy).hex()


def write_tables(path: Path, tables: dict[Pubkey, list[Pubkey]]) -> None:
    path.write_text(json.dumps({str(table): [str(key) for key in keys] for table, keys in tables.items()}))


def looked_up(message: MessageV0, tables: dict[Pubkey, list[Pubkey]]) -> tuple[list[Pubkey], list[bool]]:
    """All accounts of a message in the order of its indices, and whether each is writable."""
    keys = list(message.account_keys)
    header = message.header
    signed, last = header.num_required_signatures, len(keys) - header.num_readonly_unsigned_accounts
    writable = [
        place < (last if place >= signed else signed - header.num_readonly_signed_accounts)
        for place in range(len(keys))
    ]
    lookups = message.address_table_lookups
    for look in lookups:
        keys += [tables[look.account_key][place] for place in look.writable_indexes]
        writable += [True] * len(look.writable_indexes)
    for look in lookups:
        keys += [tables[look.account_key][place] for place in look.readonly_indexes]
        writable += [False] * len(look.readonly_indexes)
    return keys, writable


def test_compiled_messages_with_lookups_say_what_was_asked(codec: Codec, tmp_path: Path) -> None:
    rng = random.Random(15)
    path, used, shorter = tmp_path / "tables.json", 0, 0
    for _ in range(300):
        keys = [Pubkey.from_bytes(rng.randbytes(32)) for _ in range(rng.randint(3, 40))]
        payer, blockhash = rng.choice(keys), Hash.from_bytes(rng.randbytes(32))
        tables = {
            Pubkey.from_bytes(rng.randbytes(32)): [
                *rng.sample(keys, rng.randint(0, len(keys))),
                *(Pubkey.from_bytes(rng.randbytes(32)) for _ in range(rng.randint(0, 5))),
            ]
            for _ in range(rng.randint(0, 3))
        }
        instructions = [
            Instruction(
                rng.choice([key for key in keys if key != payer]),
                rng.randbytes(rng.randint(0, 40)),
                [AccountMeta(rng.choice(keys), False, rng.random() < 0.5) for _ in range(rng.randint(0, 14))],
            )
            for _ in range(rng.randint(1, 4))
        ]
        words: list[bytes | str] = []
        for one in instructions:
            words += [bytes(one.program_id), one.data]
            words += [bytes(a.pubkey) + bytes([a.is_signer, a.is_writable]) for a in one.accounts]
            words.append(";")
        static = rng.randint(0, 2)
        write_tables(path, tables)
        assert codec.ask("tables", str(path), static) == str(len(tables))
        answer = codec.ask("compile", 0, bytes(payer), bytes(blockhash), *words)
        accounts = [AddressLookupTableAccount(table, found) for table, found in tables.items()]
        peer = message_bytes(MessageV0.try_compile(payer, instructions, accounts, blockhash))
        if answer.startswith("error"):
            assert len(peer) + 32 * 40 > 1232, answer
            continue
        ours = bytes.fromhex(answer)
        message = from_bytes_versioned(ours)
        assert isinstance(message, MessageV0)
        message.sanitize()
        found, writable = looked_up(message, tables)
        assert found[0] == payer and len(set(found)) == len(found)
        for one, compiled in zip(instructions, message.instructions, strict=True):
            assert (found[compiled.program_id_index], bytes(compiled.data)) == (one.program_id, one.data)
            assert compiled.program_id_index < len(message.account_keys)
            assert [found[place] for place in compiled.accounts] == [a.pubkey for a in one.accounts]
            assert all(
                writable[place] or not a.is_writable for place, a in zip(compiled.accounts, one.accounts, strict=True)
            )
        own = set(message.account_keys)
        for one in instructions[:static]:
            assert own >= {a.pubkey for a in one.accounts}
        assert all(
            len(look.writable_indexes) + len(look.readonly_indexes) > 1 for look in message.address_table_lookups
        )
        used += bool(message.address_table_lookups)
        shorter += len(ours) < len(peer)
        assert static or len(ours) <= len(peer)
    assert used > 100 and shorter
    write_tables(path, {})
    assert codec.ask("tables", str(path), 0) == "0"


def test_lookup_tables_that_say_something_else_are_refused(codec: Codec, tmp_path: Path) -> None:
    path = tmp_path / "tables.json"
    key = str(Pubkey.from_bytes(bytes([7]) * 32))
    good = json.dumps({key: [key, key]})
    path.write_text(f" {good}\n")
    assert codec.ask("tables", str(path), 0) == "1"
    bad = [good[:end] for end in range(len(good))] + [
        f"{good}x",
        good.replace(key, key[:-1], 1),
        good.replace("[", "["[:0]),
        good.replace(", ", " "),
        json.dumps({key: [key]}).replace("}", f', "{key}": []}}'),
        json.dumps({key: [key] * 257}),
        json.dumps({str(Pubkey.from_bytes(bytes([n]) * 32)): [] for n in range(17)}),
        "[]",
        '{"1": 1}',
    ]
    for text in bad:
        path.write_text(text)
        assert codec.ask("tables", str(path), 0).startswith("error lookup tables: "), text
    assert codec.ask("tables", str(tmp_path / "missing"), 0).startswith("error lookup tables: ")
    path.write_text("{}")
    assert codec.ask("tables", str(path), 0) == "0"


def test_compile_refuses_what_does_not_fit(codec: Codec) -> None:
    payer, blockhash, program = bytes([1]) * 32, bytes(32), bytes([2]) * 32
    accounts = [bytes([3, i]) + bytes(30) + b"\0\0" for i in range(70)]
    answer = codec.ask("compile", 0, payer, blockhash, program, b"", *accounts, ";")
    assert answer == "error message: more than 64 accounts"
    answer = codec.ask("compile", 0, payer, blockhash, program, b"", *accounts[:40], ";")
    assert answer.startswith("error message: ") and answer.endswith(" do not fit in 1232")
    assert codec.ask("compile", 1, payer, blockhash).startswith("error message: version 1")


def test_curve_rule_is_the_runtimes(codec: Codec) -> None:
    rng = random.Random(6)
    points = [rng.randbytes(32) for _ in range(400)] + [bytes(Keypair().pubkey()) for _ in range(100)]
    for y in [*range(20), CURVE_PRIME - 1, *range(CURVE_PRIME, 2**255)]:  # small orders, not canonical
        points += [y.to_bytes(32, "little"), (y + 2**255).to_bytes(32, "little")]
    points += [
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),  # order 8
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),  # order 8
    ]
    answers = set()
    for point in points:
        expected = Pubkey.from_bytes(point).is_on_curve()
        assert codec.ask("curve", point) == str(int(expected)), point.hex()
        answers.add(expected)
    assert answers == {True, False}


def test_derived_addresses_are_those_of_solders(codec: Codec) -> None:
    rng = random.Random(7)
    for _ in range(150):
        program = Pubkey.from_bytes(rng.randbytes(32))
        seeds = [rng.randbytes(rng.randint(0, 32)) for _ in range(rng.randint(0, 15))]
        address, bump = Pubkey.find_program_address(seeds, program)
        assert codec.ask("find", bytes(program), *seeds) == f"{bytes(address).hex()} {bump}"
        wallet, mint = (Pubkey.from_bytes(rng.randbytes(32)) for _ in range(2))
        for token_program in (TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID):
            account = get_associated_token_address(wallet, mint, token_program)
            assert codec.ask("token", bytes(wallet), bytes(token_program), bytes(mint)) == bytes(account).hex()
    assert codec.ask("find", bytes(32), rng.randbytes(33)).startswith("error address: seed 0 has 33 bytes")
    assert codec.ask("find", bytes(32), *[b"a"] * 16).startswith("error address: 16 seeds")


def test_base58_is_that_of_solders(codec: Codec) -> None:
    rng = random.Random(8)
    for _ in range(300):
        for size, kind in ((32, Pubkey), (64, Signature)):
            data = bytes(rng.randint(0, 3)) + rng.randbytes(size)
            data = data[:size]
            text = str(kind.from_bytes(data))
            assert codec.ask("encode", data) == f'"{text}"'
            assert codec.ask("decode", text) == data.hex()
    assert codec.ask("encode", b"") == '""'
    assert codec.ask("encode", bytes(3)) == '"111"'
    assert codec.ask("decode", "111") == "000000"
    assert codec.ask("decode", "11O1") == "error base58: the character at offset 2 is not a digit"
    for text in ("1" * 65, "z" * 88, "z" * 100):
        assert codec.ask("decode", text).startswith("error base58: more than 64 bytes"), text


@pytest.mark.parametrize(
    ("signatures", "price", "units", "fee"),
    [
        (1, 0, 200_000, 5_000),
        (1, 1, 1, 5_001),
        (2, 1_000_000, 300_000, 310_000),
        (1, 999_999, 1, 5_001),
        (1, 1_000_001, 1, 5_002),
        (1, 2**64 - 1, 1_400_000, 2**64 - 1),
    ],
)
def test_fee_is_rounded_up_and_saturates(codec: Codec, signatures: int, price: int, units: int, fee: int) -> None:
    assert codec.ask("fee", signatures, price, units) == str(fee)
