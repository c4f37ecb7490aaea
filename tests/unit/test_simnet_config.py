"""The [simnet] section: strict, with errors that name the key and the fix."""

from __future__ import annotations

import copy
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sniperforge.simnet.__main__ import main
from sniperforge.simnet.config import DEFAULT_CONFIG, ConfigError, from_table, load, merge

FUZZ_INPUTS = 10_000


def test_the_shipped_defaults_are_whole() -> None:
    config = load([DEFAULT_CONFIG], {})
    assert config.slot_ms == 400 and config.market.enabled and not config.faults.stall_slots


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slots_ms": 5}, ["simnet.slots_ms", "not a key", "configs/default.toml"]),
        ({"market": {"pool": 5}}, ["simnet.market.pool", "not a key"]),
        ({"slot_ms": "fast"}, ["simnet.slot_ms", "int"]),
        ({"slot_ms": 5}, ["simnet.slot_ms", ">= 10"]),
        ({"tick_ms": 7}, ["simnet.tick_ms", "does not divide"]),
        ({"listen": "0.0.0.0"}, ["simnet.listen", "not a loopback address", "127.0.0.1"]),
        ({"finalized_after_slots": 1}, ["simnet.finalized_after_slots", "confirmed_after_slots"]),
        ({"market": {"burst_factor": 50.0}}, ["simnet.market.burst_factor", "burst_share"]),
        ({"market": {"venues": ["raydium_cpmm", "binance"]}}, ["simnet.market.venues", "binance"]),
        ({"market": {"venues": []}}, ["simnet.market.venues", ">= 1"]),
        ({"market": {"venues": ["pump_fun", "pump_fun"]}}, ["simnet.market.venues", "twice"]),
        ({"market": {"weights": {"pump_fun": 0}}}, ["simnet.market.weights.pump_fun", ">= 1"]),
        ({"market": {"weights": {"binance": 1}}}, ["simnet.market.weights.binance", "not a key"]),
        ({"faults": {"latency_ms": -1}}, ["simnet.faults.latency_ms", ">= 0"]),
        ({"accounts": [{"key": "x"}]}, ["simnet.accounts"]),
        ({"programs": [{"id": "x"}]}, ["simnet.programs", "missing"]),
    ],
)
def test_errors_name_the_key_and_the_fix(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as failure:
        load([DEFAULT_CONFIG], changes)
    for word in words:
        assert word in str(failure.value)


def test_a_later_file_replaces_single_keys(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[simnet]\nseed = 9\n[simnet.market]\npools = 3\n")
    config = load([DEFAULT_CONFIG, path], {"market": {"mints": 4}})
    assert (config.seed, config.market.pools, config.market.mints, config.slot_ms) == (9, 3, 4, 400)


def test_malformed_configurations_get_a_sentence_each(tmp_path: Path) -> None:
    dice = random.Random(3)
    keys = ["listen", "slot_ms", "speed", "accounts", "market", "faults", "programs", "seed", "x", ""]
    values = [None, -1, 0, 10**30, "", "é", [], [1], {}, {"x": 1}, True, 1.5, float("nan"), float("inf"), [{}]]
    text = DEFAULT_CONFIG.read_bytes()
    text = text[text.index(b"[simnet]") :]
    defaults = tomllib.loads(text.decode())["simnet"]
    path = tmp_path / "broken.toml"
    for number in range(FUZZ_INPUTS):
        try:
            if number % 50:
                table = copy.deepcopy(defaults)
                merge(table, {dice.choice(keys): dice.choice(values) for _ in range(dice.randrange(1, 3))})
                from_table(table)
            else:
                broken = bytearray(text)
                for _ in range(dice.randrange(1, 5)):
                    broken[dice.randrange(len(broken))] = dice.randrange(256)
                path.write_bytes(broken)
                load([path], {})
        except ConfigError as error:
            assert len(str(error)) > 10


def test_the_command_line_reports_errors_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--ledger", str(tmp_path / "l"), "--set", "market.pools=100000"]) == 2
    assert "simnet.market.pools" in capsys.readouterr().err
    assert main(["--ledger", str(tmp_path / "l"), "--set", "nonsense"]) == 2
    assert main(["--ledger", str(tmp_path / "l"), "--account", "x", "/does/not/exist"]) == 2
    assert "/does/not/exist" in capsys.readouterr().err
    assert main(["--ledger", str(tmp_path / "l"), "--bpf-program", "x", "/does/not/exist"]) == 2
