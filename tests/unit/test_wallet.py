"""Key files in both forms, by Python and by the signer's C, and the wallet command."""

from __future__ import annotations

import io
import json
import os
import random
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from sniperforge import exits
from sniperforge.wallet import cli, keyfile
from sniperforge.wallet.keyfile import KeyFileError
from tests.unit.solana_codec import Codec

SECRET = "correct horse battery staple \N{HORSE}"


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Codec]:
    with Codec.build(tmp_path_factory.mktemp("codec")) as codec:
        yield codec


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wallet") / "encrypted.json"
    keyfile.create(path, passphrase=SECRET)
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.json"
    keyfile.create(path)
    return path


def c_address(codec: Codec, path: Path, passphrase: str = "") -> str:
    return codec.ask("keyfile", str(path), passphrase.encode())


def write_private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_plain_file_is_the_solana_clis(codec: Codec, plain: Path) -> None:
    numbers = json.loads(plain.read_text())
    keypair = Keypair.from_json(plain.read_text())
    assert len(numbers) == 64 and stat.S_IMODE(plain.stat().st_mode) == 0o600
    assert keyfile.read(plain) == keypair
    assert keyfile.address(plain) == keypair.pubkey()
    assert not keyfile.is_encrypted(plain)
    assert c_address(codec, plain) == bytes(keypair.pubkey()).hex()
    spaced = "\n [ " + " ,\t".join(map(str, numbers)) + " ]\r\n"
    assert c_address(codec, write_private(plain, spaced)) == bytes(keypair.pubkey()).hex()


def test_encrypted_file_is_read_by_both_sides(codec: Codec, encrypted: Path) -> None:
    address = keyfile.address(encrypted)
    assert keyfile.is_encrypted(encrypted) and stat.S_IMODE(encrypted.stat().st_mode) == 0o600
    keypair = keyfile.read(encrypted, passphrase=lambda: SECRET)
    assert keypair.pubkey() == address
    assert bytes(keypair).hex() not in encrypted.read_text()
    assert c_address(codec, encrypted, SECRET) == bytes(address).hex()
    assert c_address(codec, encrypted, SECRET + "\n") == bytes(address).hex()


def test_signatures_are_those_of_solders(codec: Codec, plain: Path, encrypted: Path) -> None:
    for path, passphrase in ((plain, ""), (encrypted, SECRET)):
        keypair = keyfile.read(path, passphrase=SECRET)
        for size in (1, 200, 600, 1167):
            message = os.urandom(size)
            signature = keypair.sign_message(message)
            assert signature.verify(keypair.pubkey(), message)
            assert codec.ask("keyfile", str(path), passphrase.encode(), message) == bytes(signature).hex()
    keypair = keyfile.read(plain)
    for _ in range(300):
        message = os.urandom(random.randint(0, 1167))
        signed = bytes(keypair.sign_message(message))
        assert codec.ask("keyfile", str(plain), b"", message) == signed.hex()


def test_wrong_or_missing_passphrase_is_refused(codec: Codec, encrypted: Path) -> None:
    with pytest.raises(KeyFileError, match="wrong passphrase"):
        keyfile.read(encrypted, passphrase="wrong")
    with pytest.raises(KeyFileError, match="SNIPERFORGE_PASSPHRASE"):
        keyfile.read(encrypted)
    assert "wrong passphrase" in c_address(codec, encrypted, "wrong")
    assert "SNIPERFORGE_PASSPHRASE" in c_address(codec, encrypted)
    assert c_address(codec, encrypted, "x" * 1025) == "error passphrase: longer than 1024 bytes"


@pytest.mark.parametrize("passphrase", ["", "two\nlines", "x" * 1025])
def test_unusable_passphrase_makes_no_file(tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(KeyFileError, match="passphrase: must be one line"):
        keyfile.create(tmp_path / "key.json", passphrase=passphrase)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666, 0o601])
def test_file_that_others_can_reach_is_refused(codec: Codec, plain: Path, mode: int) -> None:
    plain.chmod(mode)
    expected = f"others can read or change it (mode {mode:04o}); do: chmod 600 {plain}"
    with pytest.raises(KeyFileError) as error:
        keyfile.read(plain)
    assert expected in str(error.value)
    assert expected in c_address(codec, plain)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_file_of_somebody_else_is_refused(codec: Codec, plain: Path) -> None:
    os.chown(plain, 65534, 65534)
    with pytest.raises(KeyFileError, match="belongs to user 65534"):
        keyfile.read(plain)
    assert "belongs to user 65534" in c_address(codec, plain)


def test_what_is_no_key_is_refused_by_both_sides(codec: Codec, plain: Path, encrypted: Path, tmp_path: Path) -> None:
    numbers = json.loads(plain.read_text())
    sealed = json.loads(encrypted.read_text())
    other = str(Keypair().pubkey())
    bad = [
        "",
        "null",
        "[]",
        "{}",
        "[" * 4000,
        plain.read_text()[:-3],
        plain.read_text() + "]",
        json.dumps(numbers[:63]),
        json.dumps([*numbers, 1]),
        json.dumps([*numbers[:63], 256]),
        json.dumps([*numbers[:63], -1]),
        json.dumps([*numbers[:63], 1.5]),
        json.dumps([*numbers[:63], "1"]),
        json.dumps([*numbers[:63], numbers[63] ^ 1]),  # not the secret's public key
        json.dumps([numbers[0] ^ 1, *numbers[1:]]),
        json.dumps([str(number) for number in numbers]),
        "x" * 5000,
        plain.read_text() + " " * 5000,
        json.dumps(sealed | {"more": 1}),
        json.dumps({key: value for key, value in sealed.items() if key != "salt"}),
        json.dumps(sealed | {"format": "sniperforge-key-2"}),
        json.dumps(sealed | {"kdf": "scrypt"}),
        json.dumps(sealed | {"cipher": "none"}),
        json.dumps(sealed | {"operations": 0}),
        json.dumps(sealed | {"operations": 65}),
        json.dumps(sealed | {"memory_bytes": 2**31}),
        json.dumps(sealed | {"memory_bytes": 1000}),
        json.dumps(sealed | {"operations": "2"}),
        json.dumps(sealed | {"salt": sealed["salt"][2:]}),
        json.dumps(sealed | {"salt": "zz" + sealed["salt"][2:]}),
        json.dumps(sealed | {"nonce": sealed["nonce"] + "00"}),
        json.dumps(sealed | {"sealed": sealed["sealed"][:-2]}),
        json.dumps(sealed | {"public_key": "0OIl"}),
        json.dumps(sealed | {"public_key": other}),  # additional data: not this key's box
    ]
    path = tmp_path / "bad.json"
    for text in bad:
        write_private(path, text)
        with pytest.raises(KeyFileError, match=r"key file "):
            keyfile.read(path, passphrase=SECRET)
        assert c_address(codec, path, SECRET).startswith(f"error key file {path}: "), text[:80]
    flipped = sealed["sealed"][:-2] + f"{int(sealed['sealed'][-2:], 16) ^ 1:02x}"
    write_private(path, json.dumps(sealed | {"sealed": flipped}))
    assert "wrong passphrase, or the file was changed" in c_address(codec, path, SECRET)


def test_encrypted_file_cut_anywhere_is_refused(codec: Codec, encrypted: Path, tmp_path: Path) -> None:
    text = encrypted.read_text().rstrip()
    path = tmp_path / "cut.json"
    for length in range(len(text)):
        write_private(path, text[:length])
        with pytest.raises(KeyFileError):
            keyfile.address(path)
        assert c_address(codec, path, SECRET).startswith("error key file "), length


def test_no_file_and_odd_files(codec: Codec, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be opened"):
        keyfile.address(tmp_path / "none.json")
    assert "cannot be opened" in c_address(codec, tmp_path / "none.json")
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(KeyFileError, match="not a regular file"):
        keyfile.address(tmp_path / "fifo")
    assert "not a regular file" in c_address(codec, tmp_path / "fifo")


def test_a_key_is_never_overwritten(plain: Path) -> None:
    before = plain.read_text()
    with pytest.raises(KeyFileError, match="never overwritten"):
        keyfile.create(plain)
    assert plain.read_text() == before
    assert [path.name for path in plain.parent.iterdir()] == [plain.name]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_command_makes_shows_encrypts_and_decrypts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "dir" / "key.json")
    code, out, _ = run(capsys, "create", "--path", path, "--json")
    address = json.loads(out)["address"]
    assert code == exits.OK and Pubkey.from_string(address)
    assert run(capsys, "address", "--path", path) == (exits.OK, address + "\n", "")

    monkeypatch.delenv(cli.PASSPHRASE_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(SECRET + "\n"))
    code, out, _ = run(capsys, "encrypt", "--path", path, "--json")
    assert code == exits.OK and json.loads(out) == {"address": address, "path": path, "form": "encrypted"}
    code, _, err = run(capsys, "encrypt", "--path", path)
    assert code == exits.FAILED and "is encrypted already" in err

    monkeypatch.setenv(cli.PASSPHRASE_VARIABLE, "wrong")
    code, _, err = run(capsys, "decrypt", "--path", path)
    assert code == exits.FAILED and "wrong passphrase" in err
    monkeypatch.setenv(cli.PASSPHRASE_VARIABLE, SECRET)
    code, out, _ = run(capsys, "decrypt", "--path", path)
    assert code == exits.OK and out.split() == [address, "solana-cli", path]
    code, _, err = run(capsys, "decrypt", "--path", path)
    assert code == exits.FAILED and "is not encrypted" in err
    code, out, _ = run(capsys, "show", "--path", path, "--json")
    assert json.loads(out) == {"address": address, "path": path, "form": "solana-cli"}
    code, _, err = run(capsys, "create", "--path", path)
    assert code == exits.FAILED and "never overwritten" in err


def test_command_makes_an_encrypted_key_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.json"
    monkeypatch.setenv(cli.PASSPHRASE_VARIABLE, SECRET)
    code, out, _ = run(capsys, "create", "--encrypt", "--path", str(path))
    assert code == exits.OK
    assert str(keyfile.read(path, passphrase=SECRET).pubkey()) == out.strip()


class Node(BaseHTTPRequestHandler):
    """Answers as a node whose wallet holds 1.5 SOL and 12.000005 of one mint."""

    mint = Keypair().pubkey()

    def do_POST(self) -> None:
        import base64

        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        token_account = bytes(self.mint) + bytes(32) + (12_000_005).to_bytes(8, "little") + bytes(93)
        mint = bytes(44) + b"\x06" + bytes(37)
        value: object
        if request["method"] == "getBalance":
            value = 1_500_000_000
        elif request["method"] == "getMultipleAccounts":
            assert request["params"][0] == [str(self.mint)]
            value = [{"data": [base64.b64encode(mint).decode(), "base64"]}]
        elif request["params"][1]["programId"] == cli.TOKEN_PROGRAMS[0]:
            account = {"data": [base64.b64encode(token_account).decode(), "base64"]}
            value = [{"pubkey": str(self.mint), "account": account}]
        else:
            value = []
        body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": {"value": value}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_command_asks_the_chain_for_balances(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = HTTPServer(("127.0.0.1", 0), Node)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        code, out, _ = run(capsys, "balance", "--path", str(plain), "--url", url)
        assert code == exits.OK
        assert out.split()[1:] == ["1.500000000", "SOL", "12.000005", str(Node.mint)]
        code, out, _ = run(capsys, "balance", "--path", str(plain), "--url", url, "--json")
        assert json.loads(out)["tokens"][0]["amount"] == 12_000_005
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    code, _, err = run(capsys, "balance", "--path", str(plain), "--url", url)
    assert code == exits.FAILED and url in err
    code, _, err = run(capsys, "balance", "--path", str(plain), "--url", "ftp://x")
    assert code == exits.USAGE and "http" in err
