"""The ways through the house that `laned/README.md` describes lead past what is there."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import laned

TEXT = (Path(laned.__file__).parent / "README.md").read_text()
WALKS = re.split(r"^\*\*", TEXT, flags=re.MULTILINE)[1:]
STOPS = sorted(set(re.findall(r"`((?:[a-z_]+\.)+\w[\w.]*)`", "".join(WALKS))))
MOST_STOPS = 10


def found(name: str) -> Any:
    """What stands under a dotted name below `laned`."""
    parts = name.split(".")
    for at in range(len(parts) - 1, 0, -1):
        try:
            value: Any = importlib.import_module(".".join(["laned", *parts[:at]]))
        except ModuleNotFoundError:
            continue
        for part in parts[at:]:
            value = getattr(value, part)
        return value
    raise LookupError(name)


@pytest.mark.parametrize("name", STOPS)
def test_each_stop_is_there(name: str) -> None:
    assert found(name) is not None


def test_a_stop_that_is_not_there_is_noticed() -> None:
    with pytest.raises(AttributeError):
        found("lane.machine.handled")


def test_there_are_five_of_at_most_ten_stops() -> None:
    assert len(WALKS) == 5
    for walk in WALKS:
        assert 3 < len(re.findall(r"^\d+\. ", walk, flags=re.MULTILINE)) <= MOST_STOPS
