"""What the commands for payments say at their end, and with which exit status."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from laned.cli import client, commands
from laned.cli import main as cli
from laned.cli.client import Reply, Till, Unreachable
from laned.cli.lines import payment_line

WHEN = "2026-01-01T12:00:00.123456Z"


def payment(state: str, reversal: str = "", **changes: Any) -> dict[str, Any]:
    taken = {"state": reversal, "error": None} if reversal else None
    values: dict[str, Any] = {
        "id": "p",
        "type": "payment",
        "amount": "5.00",
        "currency": "SEK",
        "card": None,
    }
    values |= {
        "state": state,
        "reversal": taken,
        "error": None,
        "resolved": None,
        "set_aside_at": None,
    }
    return values | changes


@pytest.mark.parametrize(
    ("state", "reversal", "is_open", "said"),
    [
        ("processing", "", True, "processing"),
        ("approved", "", False, "approved"),
        ("declined", "", False, "declined"),
        # in light integration nobody signed for it
        ("processing", "processing", True, "processing"),
        ("unknown", "unknown", True, "unknown"),
        ("declined", "done", False, "declined"),
        # a till has taken it back, or could not
        ("approved", "processing", True, "processing"),
        ("reversed", "done", False, "reversed"),
        ("approved", "refused", False, "approved"),
    ],
)
def test_pay_tells_how_the_payment_stands(
    state: str, reversal: str, is_open: bool, said: str
) -> None:
    standing = commands.payment_standing(payment(state, reversal))
    assert (standing.open, standing.state) == (is_open, said)


@pytest.mark.parametrize(
    ("reversal", "is_open"),
    [("", True), ("processing", True), ("unknown", True), ("done", False), ("refused", False)],
)
def test_reverse_tells_how_the_reversal_stands(reversal: str, is_open: bool) -> None:
    standing = commands.reversal_standing(payment("approved", reversal))
    assert (standing.open, standing.state) == (is_open, reversal or "processing")


@pytest.mark.parametrize(
    ("told", "what"),
    [
        (payment("unknown", set_aside_at=WHEN), "payment p"),
        (payment("unknown", "unknown", set_aside_at=WHEN), "reversal of p"),
        (payment("approved", "unknown", set_aside_at=WHEN), "reversal of p"),
    ],
)
def test_what_is_set_aside_is_not_waited_for_and_is_not_known(
    told: dict[str, Any], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    standing = commands.payment_standing(told)
    assert (standing.open, standing.state) == (False, "unknown")
    assert commands._outcome(told, Namespace(json=False), standing) == 3
    assert capsys.readouterr() == (
        "unknown\n",
        f"laned: the outcome of the {what} is not known, it is set aside;"
        " close it with: laned resolve p approved|failed --note TEXT\n",
    )


def test_once_it_is_decided_having_been_set_aside_does_not_matter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for state, status in (("approved", 0), ("failed", 1)):
        standing = commands.payment_standing(payment(state, set_aside_at=WHEN))
        assert not standing.open
        assert commands._outcome(payment(state), Namespace(json=False), standing) == status
    capsys.readouterr()


def test_a_refusal_names_the_payment_in_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    body = {"code": "outcome_unknown", "detail": "not known yet", "active": "p-7"}
    assert commands._refused(Namespace(json=False), Reply(409, body)) == 1
    assert capsys.readouterr().err == "laned: outcome_unknown: not known yet (p-7)\n"


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (payment("approved"), "p payment 5.00 SEK approved"),
        (payment("approved", "refused"), "p payment 5.00 SEK approved (reversal refused)"),
        (payment("reversed", "done"), "p payment 5.00 SEK reversed"),
        (
            payment(
                "failed",
                resolved={"by": 0, "note": "no receipt"},
                error={"condition": "Unknown", "message": "silent"},
            ),
            "p payment 5.00 SEK failed (by uid 0: no receipt)",
        ),
        (
            payment("unknown", set_aside_at=WHEN),
            "p payment 5.00 SEK unknown set aside at 2026-01-01T12:00:00Z",
        ),
        (payment("approved", set_aside_at=WHEN), "p payment 5.00 SEK approved"),
    ],
)
def test_a_payment_in_one_line(told: dict[str, Any], line: str) -> None:
    assert payment_line(told) == line


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--listen", "foo"),
        ("--listen", "127.0.0.1:99999"),
        ("--callback", "foo"),
        ("--callback", "https://127.0.0.1:11000"),
        ("--callback", "http://127.0.0.1"),
    ],
)
def test_where_the_simulated_terminal_is_must_be_an_address(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli._parser().parse_args(["simulate", option, value])
    assert f"argument {option}: {value!r}: expected" in capsys.readouterr().err


def test_who_may_not_use_the_socket_is_told_who_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root nobody can be refused: the system's answer is made up."""

    def refused(connection: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(client._Connection, "connect", refused)
    with pytest.raises(Unreachable, match=r"/s may not be used by you.*laned-till"):
        Till(Path("/s")).ask("GET", "/v1/lane", timeout=1)
