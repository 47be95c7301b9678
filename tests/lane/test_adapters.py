"""What adapters get of the lane: to watch it and to bring events, and nothing else."""

import ast
from pathlib import Path

import pytest

import laned

PACKAGE = Path(laned.__file__).parent
WIRING = {"daemon.py", "runner.py", "publishing.py"}
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def imported(module: str) -> set[tuple[str, str]]:
    """(module, name) of each `from … import` of a module, also those for type checking."""
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    return {
        (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("module", MODULES)
def test_only_the_wiring_knows_the_runner_and_the_publisher(module: str) -> None:
    if module in WIRING:
        return
    assert not imported(module) & {("laned.runner", "Runner"), ("laned.publishing", "Publisher")}


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("till/")])
def test_the_till_asks_for_payments_and_knows_no_journal(module: str) -> None:
    journal = {name for where, name in imported(module) if where.startswith("laned.journal")}
    assert journal <= {"PaymentReader", "JournalError", "MAX_PAGE", "hash_of"}


def test_what_is_looked_for_is_found() -> None:
    assert ("laned.runner", "Runner") in imported("daemon.py")
    assert ("laned.journal.reader", "PaymentReader") in imported("till/handlers.py")
