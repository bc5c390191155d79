"""Imports point one way: from the outsides to the core, and never back."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "exchange"
OUTSIDES = {"web", "actors", "persistence"}
COMMAND_LINE = {
    "__main__",
    "cli",
    "runner",
    "administration",
    "candle_admin",
    "client",
    "doctor",
    "replay",
    "demo",
}
"""What `exchange ...` runs; it may start the whole, which `system` wires together."""

FREE = COMMAND_LINE | {"system", "settings", "logs", "metrics", "tallies"}
"""Root modules that are not the core: they may use what is not in the standard library."""

MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            names |= (
                {f"exchange.{alias.name}" for alias in node.names}
                if module == "exchange"
                else {module}
            )
    return names


def parts(path: Path) -> set[str]:
    """Return which parts of the exchange a file imports: folders and root modules."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("exchange.")}


@pytest.mark.parametrize("path", [p for p in MODULES if len(p.parts) == 1 and p.stem not in FREE])
def test_the_core_knows_the_standard_library_and_itself(path: Path) -> None:
    foreign = {name.split(".")[0] for name in imports(path)} - sys.stdlib_module_names

    assert foreign <= {"exchange"}
    assert not parts(path) & (OUTSIDES | FREE)


@pytest.mark.parametrize("path", [p for p in MODULES if p.parts[0] in OUTSIDES])
def test_an_outside_knows_no_other_and_not_the_wiring(path: Path) -> None:
    assert not parts(path) & (OUTSIDES - {path.parts[0]} | COMMAND_LINE | {"system"})


@pytest.mark.parametrize("path", MODULES)
def test_only_the_actors_and_the_wiring_know_pykka(path: Path) -> None:
    if path.parts[0] in {"actors", "system.py"}:
        return

    assert "pykka" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", [p for p in MODULES if p.parts[0] == "actors"])
def test_actors_import_no_database(path: Path) -> None:
    found = {name.split(".")[0] for name in imports(path)}

    assert not found & {"psycopg", "psycopg_pool", "redis", "sqlite3", "aiohttp"}


@pytest.mark.parametrize("path", MODULES)
def test_only_the_command_line_starts_the_whole(path: Path) -> None:
    if path.parts[0].removesuffix(".py") in COMMAND_LINE:
        return

    assert not parts(path) & {"system", "cli", "runner"}


def test_the_command_line_starts_without_the_clients_values() -> None:
    program = "import sys, exchange.cli; print(*(m for m in sys.modules if '.client.' in m))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )

    assert set(done.stdout.split()) == {
        "exchange.client.connection", "exchange.client.errors", "exchange.client.talks"
    }  # fmt: skip
