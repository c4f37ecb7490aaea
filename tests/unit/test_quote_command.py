"""`sniperforge quote`: recorded swaps and single quotes from account dumps."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode, b64encode
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from sniperforge import cli, exits
from sniperforge.quote_command import main
from sniperforge.venues import pump_fun, refusals
from sniperforge.venues.dumps import AmbiguousAccountError, BrokenDumpError, MissingAccountError, load, snapshots, table
from tests.data import REPO, data_dir

SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
MSOL = "mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So"
AMM_POOL = "58oQChx4yWmvKdwLLZzBi4ChoCc2fqCUWBkwMihLYQo2"
ROWS = {
    "raydium_cpmm_sol_usdc": 75,
    "raydium_amm_v4_sol_usdc": 75,
    "raydium_clmm_sol_usdc": 117,
    "meteora_dlmm": 120,
    "meteora_damm_v2": 120,
    "pump_fun_curve_2025q1": 60,
    "whirlpool_slot185759999": 3399,
}


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def quote(capsys: pytest.CaptureFixture[str], pool: str, mint: str, amount: int, *more: str | Path) -> dict[str, Any]:
    code, out, err = run(capsys, "--pool", pool, "--in", mint, "--amount", str(amount), "--json", *more)
    answer: dict[str, Any] = json.loads(out)
    assert not err and "differs" not in answer and (code == exits.OK) == (answer["status"] == "ok")
    return answer


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_recorded_swap_is_exact(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = run(capsys, "--golden", data_dir("golden") / f"{name}.csv", "--accounts", data_dir("accounts"))
    assert (code, out) == (exits.OK, f"rows {ROWS[name]}, exact {ROWS[name]}, off 0\n")


@pytest.mark.parametrize("directory", ["raydium_amm_v4", "raydium_amm_v4/sol_usdc"])
def test_the_directory_may_be_any_above_the_snapshot(capsys: pytest.CaptureFixture[str], directory: str) -> None:
    file = data_dir("golden") / "raydium_amm_v4_sol_usdc.csv"
    code, out, _ = run(capsys, "--golden", file, "--accounts", data_dir("accounts") / directory, "--json")
    assert code == exits.OK and json.loads(out)["exact"] == 75


@pytest.mark.parametrize(
    ("source", "names", "directories"),
    [
        ("raydium_cpmm_sol_usdc", ["cpmm", "hidden_Raydium-CPMM_2"], ["", "raydium_cpmm", "raydium_cpmm/sol_usdc"]),
        ("raydium_amm_v4_sol_usdc", ["raydium_amm_v4_x", "ammV4"], ["", "raydium_amm_v4", "raydium_amm_v4/sol_usdc"]),
        (
            "raydium_clmm_sol_usdc",
            ["clmm2", "raydium_clmm_other"],
            ["", "raydium_clmm", "raydium_clmm/sol_usdc_captures"],
        ),
        ("meteora_dlmm", ["meteora_dlmm_b", "dlmm"], ["", "meteora_dlmm"]),
        ("meteora_damm_v2", ["damm", "damm_hidden"], ["", "meteora_damm_v2"]),
        ("pump_fun_curve_2025q1", ["pump_fun", "pumpfun_2", "rows"], ["", "pump_fun"]),
        ("whirlpool_slot185759999", ["orca_extra"], ["orca_whirlpool"]),
    ],
)
def test_the_name_of_a_file_is_free(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, source: str, names: list[str], directories: list[str]
) -> None:
    lines = (data_dir("golden") / f"{source}.csv").read_text().splitlines()[:40]
    for name, directory in product(names, directories):
        file = tmp_path / f"{name}.csv"
        file.write_text("\n".join(lines), encoding="utf-8-sig")
        code, out, err = run(capsys, "--golden", file, "--accounts", data_dir("accounts") / directory)
        assert (code, out, err) == (exits.OK, f"rows {len(lines) - 1}, exact {len(lines) - 1}, off 0\n", "")


def test_a_table_without_dumps(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its directory, or the table itself."""
    rows = (data_dir("golden") / "whirlpool_slot185759999.csv").read_text().splitlines()[:9]
    pool = rows[1].partition(",")[0]
    whole = data_dir("accounts/orca_whirlpool") / "all_pools_slot185759999.csv.gz"
    some = [
        f"{address},{b64encode(data).decode()}\n"
        for address, data in table(whole)
        if address == pool or bytes(Pubkey.from_string(pool)) in data
    ]
    (tmp_path / "one").mkdir()
    (tmp_path / "one/all.csv").write_text("".join(some))
    (tmp_path / "one/prices.csv").write_text("time,price\n1,2\n")
    file = tmp_path / "whirlpool.csv"
    file.write_text("\n".join(rows))
    for accounts in (tmp_path / "one", tmp_path / "one/all.csv"):
        assert run(capsys, "--golden", file, "--accounts", accounts)[:2] == (exits.OK, "rows 8, exact 8, off 0\n")
        answer = quote(capsys, pool, SOL, 33259851, "--accounts", accounts)
        assert answer["amount_out"] == 30188535


def test_a_pool_of_several_moments(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What the rows or the file's name tell; and nobody guesses where they do not."""
    pool, sold = "HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ", 10**9
    folder = data_dir("accounts/orca_whirlpool")
    moments = {
        folder / "samo_usdc_and_sol_usdc_ts64": "40281456,3706011748472047223,-32101,179999872843830",
        folder / "sol_usdc_ts64_2023": "22859741,2793210683778751865,-37756,7987555642394",
    }
    header = "pool,a_to_b,exact_in,amount,amount_in,amount_out,post_sqrt,post_tick,post_liquidity,tick_arrays\n"

    def write(name: str, outcome: str) -> Path:
        file = tmp_path / name
        file.write_text(f"{header}{pool},1,1,{sold},{sold},{outcome},3\n")
        return file

    accounts = tmp_path / "accounts"
    accounts.mkdir()
    for place in moments:
        shutil.copytree(place, accounts / f"of_{place.name}")
    for place, outcome in moments.items():
        code, out, err = run(capsys, "--golden", write("orca.csv", outcome), "--accounts", accounts)
        assert (code, out) == (exits.OK, "rows 1, exact 1, off 0\n")
        assert f"is in 2 snapshots; 1 of 1 rows are of {accounts / f'of_{place.name}'}, which is taken" in err
    code, _, err = run(capsys, "--golden", write("orca.csv", "1,1,1,1"), "--accounts", accounts)
    assert code == exits.USAGE and "orca.csv: line 2" in err and "the rows do not tell which" in err
    named = write("orca_of_sol_usdc_ts64_2023.csv", "1,1,1,1")
    code, out, err = run(capsys, "--golden", named, "--accounts", accounts)
    assert (code, err) == (exits.FAILED, "") and "amount_out 22859741, not 1" in out


def test_a_wrong_cell_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cpmm = "zero_for_one,exact_in,amount,amount_in,amount_out\n"
    dlmm = "program,lb_pair,unix_time,x_to_y,exact_out,amount,amount_in,amount_out\n"
    pair = "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig"
    cases = [
        ("cpmm.csv", f"{cpmm}1,1,-5,1,1", "line 2: column amount: '-5' is out of range"),
        ("cpmm.csv", f"{cpmm}1,1,5,5,1\n1,1,99999999999999999999999,1,1", "line 3: column amount: '9999999999"),
        ("cpmm.csv", f"{cpmm}1,1,5", "line 2: column amount_in: '' is no whole number"),
        ("cpmm.csv", f"{cpmm}abc", "line 2: column exact_in: '' is not known; use 0 or 1"),
        ("cpmm.csv", f"{cpmm}2,1,5,5,5", "line 2: column zero_for_one: '2' is not known; use 0 or 1"),
        ("cpmm.csv", cpmm.replace(",", ";"), "columns are parted by commas"),
        ("dlmm.csv", f"{dlmm}foo.so,{pair},1,1,0,5,5,5", "column program: 'foo.so' is not known; use meteora_dlmm.so"),
        ("dlmm.csv", f"{dlmm}meteora_dlmm.so,x,1,1,0,5,5,5", "column lb_pair: 'x' is no public key"),
    ]
    for name, text, sentence in cases:
        (tmp_path / name).write_text(text)
        code, out, err = run(capsys, "--golden", tmp_path / name, "--accounts", data_dir("accounts"))
        assert (code, out) == (exits.USAGE, "") and f"{name}: " in err and sentence in err, err
    (tmp_path / "cpmm.csv").write_text(cpmm, encoding="utf-16")
    code, _, err = run(capsys, "--golden", tmp_path / "cpmm.csv", "--accounts", data_dir("accounts"))
    assert code == exits.USAGE and "cpmm.csv: byte 0 is no UTF-8; save it as CSV in UTF-8" in err


def test_rows_that_are_off_are_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = (data_dir("golden") / "raydium_amm_v4_sol_usdc.csv").read_text().splitlines()[:4]
    fields = lines[2].split(",")
    lines[2] = ",".join([*fields[:-1], str(int(fields[-1]) + 1)])
    lines.append("1,1,1000,ERR,Custom(29)")
    lines.append("1,1,1,ERR,Custom(29)")
    file = tmp_path / "raydium_amm_v4_mine.csv"
    file.write_text("\n".join(lines) + "\n")
    code, out, _ = run(capsys, "--golden", file, "--accounts", data_dir("accounts"))
    assert code == exits.FAILED and out.splitlines()[-1] == "rows 5, exact 3, off 2"
    assert f"off: line 3: {lines[2]}: c: amount_out {fields[-1]}, not {int(fields[-1]) + 1}" in out
    assert f"off: line 3: {lines[2]}: python: amount_out" in out
    assert "off: line 5" in out and "the program failed" in out and "line 6" not in out
    code, out, _ = run(capsys, "--golden", file, "--accounts", data_dir("accounts"), "--json")
    answer = json.loads(out)
    assert (answer["rows"], answer["exact"], len(answer["off"])) == (5, 3, 2)


def test_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    golden, accounts = data_dir("golden"), data_dir("accounts")
    unknown = tmp_path / "uniswap.csv"
    unknown.write_text("a,b\n1,2\n")
    short = tmp_path / "raydium_cpmm_mine.csv"
    short.write_text("zero_for_one,amount\n1,2\n")
    empty = tmp_path / "pump_fun_curve.csv"
    empty.write_text("side,tokens,sol_curve,fee,sol_user,pre_vt,pre_vs,post_vt,post_vs\n")
    cases: list[tuple[list[Any], str]] = [
        (["--golden", unknown, "--accounts", accounts], "no venue of this name"),
        (["--golden", short, "--accounts", accounts], "no column exact_in, amount_in, amount_out"),
        (["--golden", empty, "--accounts", accounts], "no rows"),
        (["--golden", tmp_path / "gone.csv", "--accounts", accounts], "is no file"),
        (["--golden", golden / "meteora_dlmm.csv", "--accounts", tmp_path / "gone"], "there is no"),
        (["--golden", golden / "raydium_cpmm_sol_usdc.csv", "--accounts", tmp_path], "is not in"),
        (["--pool", AMM_POOL, "--accounts", accounts], "needs --in TOKEN and --amount N"),
        (["--pool", "x", "--in", SOL, "--amount", "1", "--accounts", accounts], "no public key"),
        (["--pool", SOL, "--in", SOL, "--amount", "1", "--accounts", tmp_path], f"pool {SOL} is not in"),
        (["--pool", AMM_POOL, "--in", MSOL, "--amount", "1", "--accounts", accounts], "does not trade"),
        (["--pool", USDC, "--in", SOL, "--amount", "1", "--accounts", accounts / "raydium_cpmm"], "no venue we know"),
    ]
    for argv, sentence in cases:
        code, out, err = run(capsys, *argv)
        assert (code, out) == (exits.USAGE, "") and sentence in err, (argv, err)
    for argv in (["--accounts", "x"], ["--pool", "a", "--golden", "b", "--accounts", "c"], ["--golden", "a"]):
        with pytest.raises(SystemExit) as stopped:
            main(argv)
        assert stopped.value.code == exits.USAGE


def test_it_is_a_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    file = data_dir("golden") / "pump_fun_curve_2025q1.csv"
    assert cli.main(["quote", "--golden", str(file), "--accounts", str(data_dir("accounts"))]) == exits.OK
    assert capsys.readouterr().out == "rows 60, exact 60, off 0\n"


def test_a_wrong_flag_shows_the_usage_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["run", "--badflag"])
    assert stopped.value.code == exits.USAGE
    assert "usage: sniperforge run" in (said := capsys.readouterr().err) and "unrecognized arguments: --badflag" in said


def test_one_swap_of_each_venue(capsys: pytest.CaptureFixture[str]) -> None:
    accounts = data_dir("accounts")
    swaps = [
        ("raydium_amm_v4", AMM_POOL, SOL, 10**9, 79484931, accounts),
        ("raydium_cpmm", "7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny", SOL, 146661601909, 34193440, accounts),
        ("pump_swap", "Gf7sXMoP8iRw4iiXmJ1nq4vxcRycbGXy5RL8a8LnTd3v", SOL, 10**9, 84070276, accounts),
        ("meteora_damm_v2", "8Pm2kZpnxD3hoMmt4bjStX2Pw2Z9abpbHzZxMPqxPmie", SOL, 10**8, None, accounts),
        ("meteora_dlmm", "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig", SOL, 10**8, None, accounts),
        (
            "orca_whirlpool",
            "HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ",
            SOL,
            10**9,
            22859741,
            accounts / "orca_whirlpool" / "sol_usdc_ts64_2023",
        ),
        (
            "orca_whirlpool",
            "HQcY5n2zP6rW74fyFEhWeBd3LnJpBcZechkvJpmdb8cx",
            SOL,
            33259851,
            30188535,
            accounts / "orca_whirlpool",
        ),
    ]
    for venue, pool, mint, amount, out, where in swaps:
        answer = quote(capsys, pool, mint, amount, "--accounts", where, "--at", "1760000000")
        assert (answer["venue"], answer["status"], answer["amount_in"]) == (venue, "ok", amount)
        assert answer["mint_in"] == mint and answer["mint_out"] != mint
        assert out is None or answer["amount_out"] == out
        wanted = answer["amount_out"]
        back = quote(capsys, pool, mint, wanted, "--accounts", where, "--at", "1760000000", "--out-amount")
        assert back["amount_out"] >= wanted and back["amount_in"] <= amount


def test_a_refusal_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    accounts = data_dir("accounts")
    most = str(2**64 - 1)
    amm = ["--pool", AMM_POOL, "--accounts", accounts]
    cpmm = ["--pool", "7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny", "--accounts", accounts]
    orca = ["--pool", "HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ"]
    orca += ["--accounts", accounts / "orca_whirlpool" / "sol_usdc_ts64_2023"]
    cases: list[tuple[list[Any], str]] = [
        ([*amm, "--in", "SOL", "--amount", most], "or the pool does not hold as much; ask for less"),
        ([*cpmm, "--in", "sol", "--amount", most, "--out-amount"], "or the pool does not hold as much; ask for less"),
        ([*amm, "--in", SOL, "--amount", "0"], "nothing is left after rounding and fees; ask for more"),
        ([*orca, "--in", "SOL", "--amount", str(10**15)], "leave the tick arrays that one swap may name; ask for less"),
    ]
    for argv, sentence in cases:
        code, out, err = run(capsys, *argv)
        assert code == exits.FAILED and not err and "status refused\n" in out and sentence in out
        assert "reserve_a" not in out and "amount_in 0" not in out
        assert json.loads(run(capsys, *argv, "--json")[1])["why"] in out
    assert "got so far: 11369353071331 in, 166439677673 out" in out
    code, out, _ = run(capsys, *amm, "--in", "SOL", "--amount", 10**9)
    assert code == exits.OK and "fee 2500000, taken of what goes in" in out and "liquidity" not in out


def test_every_code_of_the_core_has_a_sentence() -> None:
    for header in sorted((REPO / "csrc/dex").glob("*.h")):
        venue = next((name for name in refusals._SENTENCES if header.stem.startswith(name)), None)
        for name, code in re.findall(r"#define SF_(\w+_ERR_\w+)\s+(\d+)", header.read_text()):
            assert venue is not None and int(code) in refusals._SENTENCES[venue], name


def test_a_pair_without_its_reserves(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Discovery lists no reserves: then they are taken to hold what the bins say."""
    pair = "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig"
    whole = data_dir("accounts") / "meteora_dlmm" / pair
    for path in whole.glob("*.json"):
        if not path.stem.startswith("reserve"):
            shutil.copy(path, tmp_path)
    with_reserves = quote(capsys, pair, SOL, 10**8, "--accounts", whole, "--at", "1760000000")
    without = quote(capsys, pair, SOL, 10**8, "--accounts", tmp_path, "--at", "1760000000")
    assert "notes" not in with_reserves and "reserves" in without["notes"][0]
    same = ("status", "amount_in", "amount_out", "fee", "tick")
    assert [without[key] for key in same] == [with_reserves[key] for key in same]


def test_one_swap_of_a_concentrated_raydium_pool(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Dumps made of a capture: pool and tick arrays of mainnet, with a config account of the pool's rate."""
    folder = data_dir("accounts") / "raydium_clmm" / "sol_usdc_captures"
    capture = json.loads((folder / "swap_28benrbW8FCeq91j.json").read_text())
    program = "CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK"
    pool = b64decode(capture["pool_b64"])
    rate = round(json.loads((folder / "clmm_pool_metadata.json").read_text())["fee_rate"] * 10**6)
    config = bytearray(bytes.fromhex("daf42168cbcb2b6f") + bytes(109))
    config[47:51], config[51:53] = rate.to_bytes(4, "little"), pool[235:237]
    dump(tmp_path, capture["pool_address"], program, pool)
    dump(tmp_path, str(Pubkey.from_bytes(pool[9:41])), program, bytes(config))
    for array in capture["tick_arrays"]:
        dump(tmp_path, str(Pubkey.new_unique()), program, b64decode(array["data_b64"]))
    mint = str(Pubkey.from_bytes(pool[73:105]))
    answer = quote(capsys, capture["pool_address"], mint, 23126096417, "--accounts", tmp_path)
    assert (answer["venue"], answer["amount_out"]) == ("raydium_clmm", 2000404558)
    assert (answer["sqrt_price"], answer["tick"]) == (5426308802104108797, -24474)
    assert len(answer["notes"]) == 2
    too_much = quote(capsys, capture["pool_address"], mint, 10**18, "--accounts", tmp_path)
    assert too_much["status"] == "exhausted" and "add the arrays beyond" in too_much["missing"]


def dump(directory: Path, address: str, owner: str, data: bytes) -> None:
    account = {"data": [b64encode(data).decode(), "base64"], "owner": owner, "space": len(data)}
    (directory / f"{address}.json").write_text(json.dumps({"pubkey": address, "account": account}))


def test_one_swap_of_a_bonding_curve(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A curve of 2024 with the global account of January 2025: the state of a golden row."""
    shutil.copy(data_dir("accounts") / "pump_fun" / "global_2025q1.json", tmp_path)
    mint = Pubkey.new_unique()
    curve, _ = Pubkey.find_program_address([b"bonding-curve", bytes(mint)], pump_fun.PROGRAM)
    reserves = (1070419577927421, 30072319932, 790519577927421, 72319932, 10**15)
    data = pump_fun.CURVE_DISCRIMINATOR + b"".join(number.to_bytes(8, "little") for number in reserves) + b"\0"
    dump(tmp_path, str(curve), str(pump_fun.PROGRAM), data)
    code, out, _ = run(capsys, "--pool", curve, "--in", "SOL", "--amount", 10**6, "--accounts", tmp_path)
    assert code == exits.OK and "mint_out a coin that the account does not name\n" in out
    bought = quote(capsys, str(curve), SOL, 4043153635, "--out-amount", "--accounts", tmp_path)
    assert (bought["amount_in"], bought["fee"], bought["reserve_b"]) == (114724, 1135, 30072433521)
    sold = quote(capsys, str(curve), str(mint), 5279856726, "--accounts", tmp_path)
    assert (sold["amount_out"], sold["fee"], sold["venue"]) == (146848, 1483, "pump_fun")
    code, _, err = run(capsys, "--pool", curve, "--in", USDC, "--amount", 1, "--accounts", tmp_path)
    assert code == exits.USAGE and "does not trade" in err
    done = quote(capsys, str(curve), SOL, 10**15, "--out-amount", "--accounts", tmp_path)
    assert (done["status"], done["error"]) == ("refused", pump_fun.NO_TOKENS)
    (tmp_path / "global_2025q1.json").unlink()
    code, _, err = run(capsys, "--pool", curve, "--in", SOL, "--amount", 1, "--accounts", tmp_path)
    assert code == exits.USAGE and "global account 4wTV1YmiEkRvAtNtsSGPtUrqRYQMe5SKy2uB4Jjaxnjf is not in" in err


def test_missing_accounts_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copytree(data_dir("accounts") / "pump_amm" / "usdc_sol", tmp_path, dirs_exist_ok=True)
    argv = ["--pool", "Gf7sXMoP8iRw4iiXmJ1nq4vxcRycbGXy5RL8a8LnTd3v", "--in", SOL, "--amount", "1000"]
    for name, what in (
        ("pool_quote_token_account", "vault"),
        ("fee_config", "fee config 5PHirr8joyTMp9JMm6nW7hNDVyEYdkzDqazxPD7RaTjx"),
        ("global_config", "global config ADyA8hdefvWN2dbGGWFotbzWxrAvLW83WG6QCVXvJKqw"),
        ("pool", "pool Gf7sXMoP8iRw4iiXmJ1nq4vxcRycbGXy5RL8a8LnTd3v"),
    ):
        (tmp_path / f"{name}.json").chmod(0o644)
        (tmp_path / f"{name}.json").unlink()
        code, _, err = run(capsys, *argv, "--accounts", tmp_path)
        assert code == exits.USAGE and what in err and "is not in" in err


def test_a_pool_of_two_moments_is_ambiguous(capsys: pytest.CaptureFixture[str]) -> None:
    pool = "HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ"
    code, _, err = run(capsys, "--pool", pool, "--in", SOL, "--amount", 1, "--accounts", data_dir("accounts"))
    assert code == exits.USAGE and "name one of them" in err


def test_dumps(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = str(Pubkey.new_unique()), str(Pubkey.new_unique())
    dump(tmp_path / "a", one, SOL, b"123")
    dump(tmp_path / "a", two, SOL, b"45")
    dump(tmp_path / "b", one, SOL, b"124")
    (tmp_path / "b" / "other.json").write_text('{"rows": []}')
    together = load(tmp_path)
    assert two in together and together[two].data == b"45"
    with pytest.raises(AmbiguousAccountError, match="differ"):
        together[one]
    with pytest.raises(MissingAccountError, match=f"mint {USDC} is not in"):
        together.need(USDC, "mint")
    assert [account.address for account in together.matching(lambda account: len(account.data) == 2)] == [two]
    with pytest.raises(AmbiguousAccountError):
        list(together.matching(lambda account: len(account.data) == 3))
    places = snapshots(tmp_path)
    assert [place.where for place in places] == [str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path)]
    assert places[1][one].data == b"124"
    broken = {"pubkey": one, "account": {"data": ["AAAA", "base64"], "owner": SOL, "space": 4}}
    (tmp_path / "b" / "broken.json").write_text(json.dumps(broken))
    with pytest.raises(BrokenDumpError, match="is not base64 of 4 bytes"):
        load(tmp_path)
