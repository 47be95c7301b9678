"""How an exchange ended, as an event: above all, what was sent and what certainly was not."""

import lanes
import pytest

from laned.lane import events as ev
from laned.lane.effects import Send
from laned.lane.exchanges import Answered, Exchange, Lost, NotSent, event_for
from laned.nexo import messages as m

OK = m.Response(result="Success")
PAID = m.PaymentResponse(response=OK)
STATUS = m.TransactionStatusResponse(response=OK)
LOGGED_IN = m.LoginResponse(response=OK, serial_number="serial-1")
LOGGED_OUT = m.LogoutResponse(response=OK)
SOMETHING = m.UnknownBody("Anything")


def sent(body: type) -> Send:
    """A request with such a body, as a lane sends it."""
    if body is m.LogoutRequest:
        return lanes.logging_out().sent(body)[-1]
    lane = lanes.doubt()
    lane.do(lane.status("Busy"), ev.AbortAsked("a"))
    return lane.sent(body)[-1]


def answered(send: Send, body: m.Body, service_id: str | None = None) -> Answered:
    header = m.response_header(send.message.header)
    if service_id is not None:
        header = lanes.replace(header, service_id=service_id)
    return Answered(m.Message(header, body))


def event(body: type, exchange: Exchange | m.Body, service_id: str | None = None) -> object:
    """The event for a request with such a body, and its own ServiceID left out."""
    send = sent(body)
    if not isinstance(exchange, Exchange):
        exchange = answered(send, exchange, service_id)
    found = event_for(send, exchange)
    if found is not None and hasattr(found, "service_id"):
        assert found.service_id == send.message.header.service_id
    return found


NO_ANSWER: list[Exchange | m.Body] = [Lost("broken"), Answered(None), SOMETHING, LOGGED_OUT]


@pytest.mark.parametrize("exchange", NO_ANSWER, ids=repr)
def test_a_payment_without_a_usable_answer_is_lost(exchange: Exchange | m.Body) -> None:
    assert isinstance(event(m.PaymentRequest, exchange), ev.AttemptLost)


def test_only_what_was_not_sent_was_not_sent() -> None:
    found = event(m.PaymentRequest, NotSent("no route"))
    assert isinstance(found, ev.AttemptNotSent)
    assert found.reason == "no route"


@pytest.mark.parametrize("service_id", [None, "77"])
def test_whose_answer_a_payments_is_the_machine_decides(service_id: str | None) -> None:
    found = event(m.PaymentRequest, PAID, service_id)
    assert isinstance(found, ev.AttemptAnswered)
    assert (found.response, found.poi_owner) == (PAID, None)
    if service_id is not None:
        assert found.header.service_id == service_id


@pytest.mark.parametrize(
    ("body", "answer", "good", "bad"),
    [
        (m.TransactionStatusRequest, STATUS, ev.StatusAnswered, ev.StatusFailed),
        (m.LoginRequest, LOGGED_IN, ev.LoginAnswered, ev.LoginFailed),
    ],
)
def test_an_answer_to_another_request_is_none(
    body: type, answer: m.Body, good: type, bad: type
) -> None:
    assert isinstance(event(body, answer), good)
    other = event(body, answer, "77")
    assert isinstance(other, bad)
    assert "77" in getattr(other, "reason", "")
    for exchange in (NotSent("no route"), Lost("broken"), Answered(None), SOMETHING):
        found = event(body, exchange)
        assert isinstance(found, bad)
        assert getattr(found, "reason", "")


def test_a_logout_is_over_whatever_came() -> None:
    assert event(m.LogoutRequest, LOGGED_OUT) == ev.LogoutEnded(LOGGED_OUT)
    for exchange in (NotSent("no route"), Lost("broken"), Answered(None), SOMETHING):
        assert event(m.LogoutRequest, exchange) == ev.LogoutEnded(None)


@pytest.mark.parametrize("exchange", [NotSent("no"), Lost("broken"), Answered(None), SOMETHING])
def test_nothing_depends_on_the_end_of_an_abort(exchange: Exchange | m.Body) -> None:
    assert event(m.AbortRequest, exchange) is None
