"""A file looks down, never up, never sideways: who may include and import whom."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]

C_FLOORS = {
    "base": {"base"},
    "shm": {"base", "shm"},
    "tile": {"base", "shm", "tile"},
    "io": {"base", "io"},
    "solana": {"base", "solana"},
    "dex": {"base", "solana", "dex"},
    "trade": {"base", "solana", "dex", "trade"},
    "tiles": {"base", "shm", "tile", "io", "solana", "dex", "trade"},
    "main": {"base", "shm", "tile", "tiles"},
    "sbf": {"sbf"},
}
"""Directory of csrc: those it may include.  Headers of ipc/include are open to all but sbf."""

PYTHON_FLOORS = {
    "tuning": set[str](),
    "ipc": {"ipc"},
    "sniperforge": {"sniperforge", "ipc", "tuning"},
}
"""Package: those of ours it may import.  bench and tests may import anything."""

DISTRIBUTIONS = {"zmq": "pyzmq", "nacl": "pynacl", "spl": "solana"}
"""Import names that differ from the name in pyproject.toml."""

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)
C_FILES = sorted(path for path in (REPO / "csrc").rglob("*.[ch]"))
PYTHON_FILES = sorted(path for package in PYTHON_FLOORS for path in (REPO / package).rglob("*.py"))


def label(path: Path) -> str:
    return str(path.relative_to(REPO))


@pytest.mark.parametrize("path", C_FILES, ids=label)
def test_c_includes_look_down(path: Path) -> None:
    floor = path.relative_to(REPO / "csrc").parts[0]
    assert floor in C_FLOORS, f"csrc/{floor} has no place in the floors"
    for name in INCLUDE.findall(path.read_text()):
        directory, slash, file = name.rpartition("/")
        if not slash:
            assert floor != "sbf", f"{label(path)}: programs of the chain do not share the engine's layouts"
            assert re.fullmatch(r"sf_\w+\.h", name), f"{label(path)}: include {name} by its path below csrc/"
            continue
        own = floor == "tiles" and directory == "tiles" and Path(file).stem in (path.stem, "table")
        assert directory in C_FLOORS[floor] or own, f"{label(path)} may not include {name}"


def imports(path: Path) -> set[str]:
    """Returns the first parts of all absolute imports, and the package itself for relative ones."""
    package = path.relative_to(REPO).parts[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(package if node.level else (node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", PYTHON_FILES, ids=label)
def test_python_imports_look_down(path: Path) -> None:
    package = path.relative_to(REPO).parts[0]
    ours = {"ipc", "sniperforge", "tuning", "bench", "tests"}
    wrong = (imports(path) & ours) - PYTHON_FLOORS[package] - {package}
    assert not wrong, f"{label(path)} may not import {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("path", PYTHON_FILES, ids=label)
def test_what_is_imported_is_declared(path: Path) -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=!~\[; ]", line, maxsplit=1)[0] for line in project["dependencies"]}
    package = path.relative_to(REPO).parts[0]
    outside = imports(path) - set(sys.stdlib_module_names) - set(PYTHON_FLOORS) - {package}
    allowed = {"pyroute2"} if package == "tuning" else declared
    undeclared = {name for name in outside if DISTRIBUTIONS.get(name, name) not in allowed}
    assert not undeclared, f"{label(path)} imports {', '.join(sorted(undeclared))}: not in pyproject.toml"


def test_python_tiles_do_not_import_each_other() -> None:
    files = sorted((REPO / "sniperforge" / "tiles").glob("*.py"))
    trees = {f"sniperforge.tiles.{path.stem}": ast.parse(path.read_text()) for path in files}
    tiles = {name for name, tree in trees.items() if any(is_tile(node) for node in tree.body)}
    for name in tiles:
        for node in ast.walk(trees[name]):
            assert not (isinstance(node, ast.ImportFrom) and node.module in tiles), f"{name} imports {node.module}"


def is_tile(node: ast.stmt) -> bool:
    """Says whether this is a class made from `Tile`."""
    return isinstance(node, ast.ClassDef) and any(
        isinstance(base, ast.Name) and base.id == "Tile" for base in node.bases
    )


def test_every_pinned_dependency_is_in_the_lock() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    locked = {line.partition("==")[0] for line in (REPO / "requirements.txt").read_text().splitlines()}
    names = {re.split(r"[<>=!~\[; ]", line, maxsplit=1)[0] for line in project["dependencies"]}
    assert names <= locked
