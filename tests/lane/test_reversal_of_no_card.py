"""Reversal of what is no card: older terminals would take another customer's payment back.

Source: contract, "Reversal of what is no card".
"""

from typing import Any

import lanes
import pytest
from lanes import Lane, configuration, light, replace

from laned.lane import events as ev
from laned.lane.reversals import FIRST_SOFTWARE, software_version
from laned.nexo import messages as m

OLD, NEW = "Terminal 1.3.0.10", "Terminal 1.3.0.11"


def config(*, allowed: bool) -> lanes.Config:
    made = configuration(signature="till")
    return replace(made, payment=replace(made.payment, reverse_mobile=allowed))


def at(software: str, made: lanes.Config) -> Lane:
    """A lane whose terminal says that it has this software."""
    lane = lanes.offline(made)
    lane.do(ev.TimePassed())
    login = lanes.login()
    return lane.then(replace(login, response=replace(login.response, software=software)))


def asked_to_give_back(lane: Lane, instrument: str | None) -> str | None:
    lane.do(ev.PaymentAsked(lanes.order()))
    lane.do(lane.left(), lane.answered(instrument=instrument))
    refusal = lane.do(lanes.reversal_of(lane.state.settled)).refusal
    return refusal.code if refusal else None


@pytest.mark.parametrize(
    ("instrument", "software", "allowed", "refused"),
    [
        ("Card", OLD, False, False),
        ("Mobile", NEW, True, False),
        ("Mobile", NEW, False, True),
        ("Mobile", OLD, True, True),
        ("Mobile", "Terminal", True, True),
        (None, OLD, True, True),
        (None, NEW, False, True),
        (None, NEW, True, False),
    ],
)
def test_only_a_card_or_where_the_terminal_can_and_may(
    instrument: str | None, software: str, *, allowed: bool, refused: bool
) -> None:
    lane = at(software, config(allowed=allowed))
    code = asked_to_give_back(lane, instrument)
    assert code == ("not_reversible" if refused else None)
    assert bool(lane.sent(m.ReversalRequest)) is not refused


def test_a_declined_signature_obeys_it_too() -> None:
    lane = at(OLD, light(config(allowed=True)))
    lane.do(ev.PaymentAsked(lanes.order()))
    lane.do(lane.left(), lane.answered(instrument="Mobile", receipts=(lanes.receipt(),)))
    assert lane.state.prompt is not None
    lane.do(ev.PromptAnswered(lane.state.prompt.id, False))
    assert lane.sent(m.ReversalRequest) == []
    assert lane.ended() == ("approved", "ReversalRefused")
    assert lane.payment.signature == "declined"


@pytest.mark.parametrize(
    ("software", "numbers"),
    [
        ("Terminal 1.3.0.11", (1, 3, 0, 11)),
        ("SPS 2.0", (2, 0)),
        ("1.10.0.2", (1, 10, 0, 2)),
        ("Terminal 1.3.0.11-beta", (1, 3, 0, 11)),
        ("", ()),
        ("Terminal", ()),
    ],
)
def test_versions_are_compared_as_numbers(software: str, numbers: Any) -> None:
    assert software_version(software) == numbers
    assert (software_version(software) >= FIRST_SOFTWARE) is (numbers >= FIRST_SOFTWARE)
