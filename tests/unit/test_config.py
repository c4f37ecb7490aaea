"""The configuration: what is right is taken, and 10,000 wrong ones each give an error that names the key and a fix."""

from __future__ import annotations

import copy
import random
import string
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sniperforge import config
from sniperforge.config import DEFAULT_CONFIG, ConfigError, load

SEED = 20_261_120
DEFAULTS: dict[str, Any] = tomllib.loads(DEFAULT_CONFIG.read_text())


@pytest.fixture(autouse=True)
def _read_defaults_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = config._read

    def cached(path: Path) -> dict[str, Any]:
        return copy.deepcopy(DEFAULTS) if path == DEFAULT_CONFIG else read(path)

    monkeypatch.setattr(config, "_read", cached)


Key = tuple[str, ...]


def leaves(table: dict[str, Any], prefix: Key = ()) -> list[Key]:
    """The keys of all values."""
    found = []
    for key, value in table.items():
        name = (*prefix, key)
        found += leaves(value, name) if isinstance(value, dict) and value else [name]
    return found


KEYS = leaves(DEFAULTS)


def refused(*settings: str, files: tuple[Path, ...] = ()) -> str:
    """The sentence with which a configuration is refused."""
    with pytest.raises(ConfigError) as error:
        load(files, settings)
    return str(error.value)


# -- what is right ---------------------------------------------------------------------------------


def test_the_defaults_are_valid_and_complete() -> None:
    found = load()
    assert found.chain.embedded
    assert set(config.to_builtins(found)) == set(DEFAULTS)


def test_every_key_is_explained() -> None:
    for line in DEFAULT_CONFIG.read_text().splitlines():
        key, separator, _ = line.partition("=")
        if (
            separator
            and not line.startswith("#")
            and not key.strip().startswith(("kind", "group", "in", "out", "tables"))
        ):
            section_of_shapes = key.strip() in ("burst", "row", "rows", "slot_bytes", "depth", "wait", "core")
            assert "#" in line or section_of_shapes, line


def test_later_files_and_settings_win(tmp_path: Path) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text("[risk]\nmax_open_orders = 5\nmax_order_lamports = 7\n")
    second.write_text("[risk]\nmax_open_orders = 6\n")
    found = load([first, second], ["risk.collar_bps=9", "instance.name=other"])
    assert (found.risk.max_open_orders, found.risk.max_order_lamports, found.risk.collar_bps) == (6, 7, 9)
    assert found.instance.name == "other"


def test_a_bare_word_is_a_text() -> None:
    assert load((), ["chain.url=https://example.org:8899/path?x=1"]).chain.url == "https://example.org:8899/path?x=1"
    assert load((), ['chain.url="https://example.org"']).chain.url == "https://example.org"


# -- what is wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (["risk.max_open_order=1"], "max_open_order"),
        (["risk.max_open_orders=-1"], "risk.max_open_orders"),
        (["risk.max_open_orders=1.5"], "risk.max_open_orders"),
        (["risk.max_open_orders=many"], "risk.max_open_orders"),
        (["risk.max_order_lamports=9223372036854775808"], "risk.max_order_lamports"),
        (["risk=1"], "risk"),
        (["nonsense.key=1"], "nonsense"),
        (["instance.name=Upper"], "instance.name"),
        (["instance.name=../x"], "instance.name"),
        (['instance.name="a\\n"'], "instance.name"),
        (["instance.state_dir="], "instance.state_dir"),
        (["instance.state_dir=" + "x" * 300], "instance.state_dir"),
        (["wallet.path="], "wallet.path"),
        (["wallet.wrap_sol=1000"], "wallet.wrap_sol"),
        (["chain.url=ftp://x"], "chain.url"),
        (["chain.url=http://"], "chain.url"),
        (["chain.url=http://[::1"], "chain.url"),
        (["chain.url=http://host:99999"], "chain.url"),
        (['chain.url="http://a\\nsimulated=1"'], "chain.url"),
        (["chain.websocket_url=http://x"], "chain.websocket_url"),
        (["chain.commitment=maybe"], "chain.commitment"),
        (['chain.ca_path="x\\u0000y"'], "chain.ca_path"),
        (["control.tcp=127.0.0.1:5"], "control.tcp"),
        (["control.tcp=5", "control.curve_secret_file=a", "control.curve_clients=b"], "control.tcp"),
        (["supervisor.backoff_min_ms=9000"], "supervisor.backoff_min_ms"),
        (["feed.backoff_min_ms=9000"], "feed.backoff_min_ms"),
        (["send.backoff_max_ms=1"], "send.backoff_min_ms"),
        (["feed.ping_ms=7000"], "feed.ping_ms"),
        (["journal.block_bytes=5000"], "journal.block_bytes"),
        (["journal.segment_bytes=1048577"], "journal.segment_bytes"),
        (["journal.segment_bytes=1048576", "journal.blocks=64"], "journal.segment_bytes"),
        (["sign.programs=[]"], "sign.programs"),
        (["sign.programs=['x']"], "sign.programs"),
        (["sign.programs=['zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz']"], "sign.programs[0]"),
        (["sign.nonce_pool=4097"], "sign.nonce_pool"),
        (["sign.nonce_pool_force=true"], "sign.nonce_pool_force"),
        (["risk.base_mint=1111"], "risk.base_mint"),
        (["build.tip_account=So11111111111111111111111111111111111111112"], "build.tip_account"),
        (["build.protect_account=So11111111111111111111111111111111111111112"], "build.protect_account"),
        (["sign.protect_account=x"], "sign.protect_account"),
        (["build.lookup_tables=['So11111111111111111111111111111111111111112']"], "build.lookup_tables[0]"),
        (["sign.lookup_tables=['x']"], "sign.lookup_tables"),
        (["bots.arb.tip_bps=100"], "bots.arb.tip_bps"),
        (["bots.arb.base_mint=EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"], "bots.arb.base_mint"),
        (["bots.arb.slippage_bps=51"], "bots.arb.slippage_bps"),
        (["bots.arb.ladder_loss_bps=100"], "bots.arb.ladder_loss_bps"),
        (["bots.arb.bot=2"], "bot"),
        (["bots.arb.max_hops=4"], "bots.arb.max_hops"),
        (["bots.arb.kind=clever"], "bots.arb"),
        (["bots.rebalance.class=nothing"], "bots.rebalance.class"),
        (["simnet.tick_ms=7"], "simnet.tick_ms"),
        (["simnet.listen=0.0.0.0"], "simnet.listen"),
        (["simnet.market.burst_factor=50"], "simnet.market.burst_factor"),
        (["simnet.speed=nan"], "simnet.speed"),
        (["topology.groups.hot.wait=sleep"], "topology.groups"),
    ],
)
def test_wrong_values_name_their_key(settings: list[str], key: str) -> None:
    sentence = refused(*settings)
    assert key in sentence and ";" in sentence


@pytest.mark.parametrize("setting", ["", "=", "=1", "risk", "a b=1", "risk.=1", ".x=1", "a..b=1", "a[=1", "#=1"])
def test_settings_that_are_none(setting: str) -> None:
    assert "section.key=value" in refused(setting)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    assert str(path) in refused(files=(path,))
    assert str(tmp_path) in refused(files=(tmp_path,))
    for content in (
        b"\xff\xfe",
        b"a = ",
        b"a = 1\na = 2",
        b"[" * 100_000,
        b"a = " + b"[" * 100_000,
        b"x = 1" + b"0" * 5000,
    ):
        path.write_bytes(content)
        assert str(path) in refused(files=(path,))
    path.write_bytes(b"#" * (2 << 20))
    assert "larger than" in refused(files=(path,))


def test_bots_are_needed() -> None:
    data = copy.deepcopy(DEFAULTS)
    data["bots"] = {}
    with pytest.raises(ConfigError, match="bots: no bot"):
        _load_table(data)


def _load_table(data: dict[str, Any]) -> None:
    original = config._read
    try:
        config._read = lambda path: data
        load()
    finally:
        config._read = original


# -- ten thousand ----------------------------------------------------------------------------------

_TEXTS = ("", "x", "0", "-1", "true", "nan", "\n", "a\nb=1", "\0", "é" * 50, "/", "..", "http://", "[", "so", "9" * 400)


def _rubbish(rng: random.Random, depth: int = 0) -> Any:
    """A TOML value of any type, nested now and then."""
    choice = rng.randrange(12 if depth < 4 else 8)
    if choice == 0:
        return rng.choice((True, False))
    if choice == 1:
        return rng.choice((0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, rng.randrange(-(10**6), 10**6)))
    if choice == 2:
        return rng.choice((0.0, -0.5, 1e308, float("inf"), float("-inf"), float("nan"), rng.random()))
    if choice in (3, 4):
        return rng.choice(_TEXTS)
    if choice == 5:
        return "".join(rng.choice(string.printable) for _ in range(rng.randrange(30)))
    if choice == 6:
        return tomllib.loads(rng.choice(("x = 1979-05-27", "x = 07:32:00", "x = 1979-05-27T07:32:00Z")))["x"]
    if choice == 7:
        return []
    if choice in (8, 9):
        return [_rubbish(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(("a", "kind", "", "in", "x.y", "\n")): _rubbish(rng, depth + 1) for _ in range(rng.randrange(4))}


def _at(data: dict[str, Any], key: Key) -> tuple[dict[str, Any], str]:
    *tables, name = key
    for part in tables:
        data = data[part]
    return data, name


def _replaced(rng: random.Random, data: dict[str, Any]) -> None:
    for _ in range(rng.randrange(1, 4)):
        key = rng.choice(KEYS)
        table, name = _at(data, key)
        if name in table:
            table[name] = _rubbish(rng)


def _section_replaced(rng: random.Random, data: dict[str, Any]) -> None:
    table, name = _at(data, rng.choice(KEYS)[:-1] or ("risk",))
    table[name] = _rubbish(rng)


def _removed(rng: random.Random, data: dict[str, Any]) -> None:
    table, name = _at(data, rng.choice(KEYS))
    del table[name]


def _unknown(rng: random.Random, data: dict[str, Any]) -> None:
    table, name = _at(data, rng.choice(KEYS))
    table[name + rng.choice(("x", "_ms", " ", "é", "."))] = _rubbish(rng)


def _deep(rng: random.Random, data: dict[str, Any]) -> None:
    table, name = _at(data, rng.choice(KEYS))
    value: Any = 1
    for _ in range(rng.choice((40, 400, 5000))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    table[name] = value


def _out_of_range(rng: random.Random, data: dict[str, Any]) -> None:
    for _ in range(rng.randrange(1, 5)):
        table, name = _at(data, rng.choice(KEYS))
        value = table.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        table[name] = rng.choice((0, -1, 1, value * 1000, value + 1, 2**63, -value, type(value)(value // 2)))


_CHANGES: tuple[Callable[[random.Random, dict[str, Any]], None], ...] = (
    _replaced,
    _section_replaced,
    _removed,
    _unknown,
    _deep,
    _out_of_range,
)


def _well_said(sentence: str) -> bool:
    """Names something, and says what to do about it."""
    head, colon, rest = sentence.partition(":")
    fix = ";" in rest or any(word in sentence for word in ("use ", "must ", "write ", "remove", "put it back"))
    return (
        bool(head.strip() and colon and rest.strip() and fix) or "is not a key" in sentence or "is missing" in sentence
    )


def test_six_thousand_wrong_tables() -> None:
    rng = random.Random(SEED)
    wrong = 0
    for number in range(6000):
        data = copy.deepcopy(DEFAULTS)
        change = rng.choice(_CHANGES)
        change(rng, data)
        try:
            _load_table(data)
        except ConfigError as error:
            wrong += 1
            assert _well_said(str(error)), f"{number} {change.__name__}: {error}"
    assert wrong > 4000


def test_two_thousand_wrong_files(tmp_path: Path) -> None:
    rng = random.Random(SEED + 1)
    text = DEFAULT_CONFIG.read_bytes()
    sections = text.split(b"\n[")
    path = tmp_path / "fuzz.toml"
    wrong = 0
    for number in range(2000):
        data = bytearray(b"[" + rng.choice(sections[1:]) if number % 4 else text[: rng.randrange(3000)])
        for _ in range(rng.randrange(1, 6)):
            place = rng.randrange(len(data) + 1)
            kind = rng.randrange(4)
            if kind == 0 and data:
                data[place % len(data)] = rng.randrange(256)
            elif kind == 1:
                data[place:place] = bytes(rng.randrange(256) for _ in range(rng.randrange(6)))
            elif kind == 2:
                del data[place : place + rng.randrange(8)]
            else:
                data[place:place] = rng.choice(
                    (b"=", b"]", b"[[a]]", b"'''", b"{", b"\n", b"\0", b"1e999", b"0x", b'"')
                )
        path.write_bytes(data)
        try:
            load([path])
        except ConfigError as error:
            wrong += 1
            assert _well_said(str(error)), f"{number}: {error}"
    assert wrong > 700


def test_two_thousand_wrong_settings() -> None:
    rng = random.Random(SEED + 2)
    wrong = 0
    for number in range(2000):
        key = (
            ".".join(rng.choice(KEYS))
            if rng.random() < 0.8
            else "".join(rng.choice("abc._- \"'\n#[]=") for _ in range(9))
        )
        value = rng.choice(
            (str(_rubbish(rng)), "".join(chr(rng.randrange(1, 0x3000)) for _ in range(rng.randrange(12))))
        )
        try:
            load((), [f"{key}={value}" if rng.random() < 0.95 else key])
        except ConfigError as error:
            wrong += 1
            assert _well_said(str(error)), f"{number} {key}={value!r}: {error}"
    assert wrong > 1200
