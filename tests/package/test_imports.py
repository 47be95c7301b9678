"""Imports point one way: no room of the house knows one above it, and there is no circle."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import laned

ROOT = Path(laned.__file__).parent

ROOMS: dict[str, set[str]] = {
    "exits": set(),
    "nexo": set(),
    "config": set(),
    "lane": {"nexo", "config"},
    "views": {"lane"},
    "offload": set(),
    "inbox": {"lane"},
    "publishing": {"lane", "views"},
    "http": {"config", "exits"},
    "journal": {"lane", "offload"},
    # adapters, none of which knows another
    "hardware": {"config", "offload", "views"},
    "system": {"config", "http", "inbox", "lane", "publishing", "views"},
    "terminal": {"config", "http", "inbox", "lane", "nexo", "publishing"},
    "till": {
        "config", "http", "inbox", "journal", "lane", "nexo", "offload", "publishing", "views",
    },
    "runner": {"inbox", "journal", "lane", "nexo", "offload", "publishing", "system", "views"},
    # who knows them all
    "preload": {"config", "hardware"},
    "daemon": {
        "config", "hardware", "http", "inbox", "journal", "lane", "offload", "preload",
        "publishing", "runner", "system", "terminal", "till", "views",
    },
    "simulator": {"exits", "http"},
    "demo": {
        "config", "daemon", "exits", "hardware", "http", "journal", "lane", "simulator", "views",
    },
    "check": {"config", "exits", "hardware", "http", "journal", "system", "till", "views"},
    "cli": {
        "check", "config", "daemon", "demo", "exits", "http", "journal", "simulator", "system",
        "till",
    },
    "__main__": {"cli"},
}  # fmt: skip
"""Each room, and those of the rooms above it in this list that it may import."""


def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = ("laned", *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports() -> dict[str, set[str]]:
    """Which module imports which, as written, also inside functions."""
    known, edges = modules(), defaultdict[str, set[str]](set)
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("laned"):
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    edges[name].add(whole if whole in known else node.module or "")
            elif isinstance(node, ast.Import):
                edges[name] |= {alias.name for alias in node.names if alias.name in known}
    return edges


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def between_rooms() -> dict[str, set[str]]:
    rooms = defaultdict[str, set[str]](set)
    for module, imported in imports().items():
        rooms[room(module)] |= {room(each) for each in imported} - {room(module), "laned"}
    return rooms


def test_the_list_has_every_room_and_points_upwards() -> None:
    found = {room(module) for module in modules()} - {"laned"}
    assert set(ROOMS) == found
    above: set[str] = set()
    for name, allowed in ROOMS.items():
        assert allowed <= above, f"{name} is listed before what it imports"
        above.add(name)


def test_every_room_imports_what_the_list_says() -> None:
    found = between_rooms()
    for name, allowed in ROOMS.items():
        assert found.get(name, set()) == allowed, name


def test_no_two_modules_import_each_other() -> None:
    tuple(TopologicalSorter(imports()).static_order())  # raises CycleError
