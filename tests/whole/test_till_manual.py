"""API.md tells of everything that the code has, and of nothing that it has not."""

import re
from pathlib import Path
from typing import get_args

import msgspec

import laned.till
from laned.lane.payment import Payment, PaymentState, Reversal
from laned.lane.state import SessionState
from laned.till.problems import Code, status_of
from laned.till.routes import ROUTES
from laned.views.lane import LaneView
from laned.views.till_events import TillEventName

REPOSITORY = Path(__file__).parents[2]
MANUAL = Path(laned.till.__file__).with_name("API.md")
SECTIONS = dict(re.findall(r"^## (.*)$([\s\S]*?)(?=^## |\Z)", MANUAL.read_text(), re.MULTILINE))


def first_cells(section: str) -> list[str]:
    """What stands in backquotes in the first column of a section's table."""
    rows = re.findall(r"^\| ([^|]*) \|", SECTIONS[section], re.MULTILINE)
    return [name for row in rows[1:] for name in re.findall("`([^`]+)`", row)]


def test_every_route_and_no_other() -> None:
    assert sorted(first_cells("Routes")) == sorted(f"{r.method} {r.template}" for r in ROUTES)


def test_every_code_with_its_status_and_no_other() -> None:
    told = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", SECTIONS["Refusals"], re.MULTILINE)
    assert sorted(told) == sorted((str(status_of(code)), code) for code in get_args(Code))


def test_every_event_and_no_other() -> None:
    assert sorted(first_cells("Events")) == sorted(get_args(TillEventName))
    assert "`lane`" in SECTIONS["Events"]


def test_every_state_of_a_payment_and_no_other() -> None:
    assert sorted(first_cells("States")) == sorted(PaymentState)


def test_every_field_of_a_body() -> None:
    bodies = {route.body for route in ROUTES if route.has_body}
    names = {field.name for body in bodies for field in msgspec.structs.fields(body)}
    assert sorted(name for name in names if f"`{name}`" not in SECTIONS["Routes"]) == []


def test_every_word_of_a_payment_and_a_lane() -> None:
    reversal = msgspec.json.schema(Reversal)["$defs"]["Reversal"]["properties"]["state"]["enum"]
    words = {*Payment.__struct_fields__, *SessionState, *reversal}
    assert sorted(word for word in words if f"`{word}`" not in SECTIONS["States"]) == []
    views = set(LaneView.__struct_fields__) - {"name", "version", "mode"}
    assert sorted(word for word in views if f"`{word}`" not in SECTIONS["Routes"]) == []


def test_every_query_field() -> None:
    fields = {field.name for route in ROUTES for field in route.query}
    assert sorted(name for name in fields if f"`{name}`" not in SECTIONS["Routes"]) == []


def test_the_readme_leads_there() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    till = readme.partition("## The till's side")[2].partition("\n## ")[0]
    assert f"({MANUAL.relative_to(REPOSITORY).as_posix()})" in till
