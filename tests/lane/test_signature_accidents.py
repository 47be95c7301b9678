"""Light integration: a signature that was declined is never approved because of an accident."""

import lanes
from lanes import Lane, configuration, light

from laned.lane import events as ev
from laned.lane.state import Phase
from laned.nexo import messages as m


def reversing() -> Lane:
    """The signature is declined, the reversal is out."""
    lane = lanes.paying(light(configuration(signature="decline")))
    lane.do(lane.answered(receipts=(lanes.receipt(),)))
    assert lane.sent_now(m.ReversalRequest)
    return lane.then(lane.left())


def test_a_crash_between_two_tries_does_not_approve_it() -> None:
    lane = reversing()
    lane.do(lane.answered("Busy"))  # which is usual for three seconds after a payment
    life = lanes.restarted(lane)
    assert life.state.payment is not None
    assert not life.payment.final
    life.wait(2.0)
    life.do(life.left(), life.answered())
    assert life.ended() == ("declined", None)


def test_the_orderly_stop_between_two_tries_does_not_approve_it() -> None:
    lane = reversing()
    lane.do(lane.answered("Busy"), ev.StopAsked())
    assert lane.phase is Phase.STOPPED
    assert not lane.payment.final
    life = lanes.restarted(lane)
    life.wait(2.0)
    life.do(life.left(), life.answered())
    assert life.ended() == ("declined", None)


def test_a_terminal_that_takes_a_minute_to_start_does_not_approve_it() -> None:
    """After a power cut the box is up first."""
    config = light(configuration(signature="till"))
    lane = lanes.paying(config)
    lane.do(lane.answered(receipts=(lanes.receipt(),)))
    life = lanes.restarted(lane, light(configuration(signature="decline")))
    for _ in range(40):
        assert not life.payment.final, life.payment
        life.do(life.not_sent())
        life.wait(2.0)
    life.wait(60.0)
    life.do(life.left(), life.answered())
    assert life.ended() == ("declined", None)


def test_a_crash_then_a_reversal_that_turns_out_to_have_been_refused_as_busy() -> None:
    life = lanes.restarted(reversing())
    life.wait(0)
    life.do(life.repeated("Busy"))
    assert not life.payment.final, life.payment
    life.wait(2.0)
    life.do(life.left(), life.answered())
    assert life.ended() == ("declined", None)


def test_a_payment_of_light_integration_recovered_in_default_integration() -> None:
    lane = lanes.paying(light(configuration(signature="till")))
    life = lanes.restarted(lane, configuration(signature="till"))
    life.wait(0)
    life.do(life.repeated(receipts=(lanes.receipt(),)))
    assert life.payment.state != "approved", "nobody has signed it"


def test_a_signed_payment_of_default_integration_recovered_in_light_integration() -> None:
    lane = lanes.paying(configuration(signature="till"))
    lane.do(lanes.asks())
    assert lane.state.prompt is not None
    lane.do(ev.PromptAnswered(lane.state.prompt.id, True))
    life = lanes.restarted(lane, light(configuration(signature="decline")))
    life.wait(0)
    life.do(life.repeated(receipts=(lanes.receipt(),)))
    assert life.ended() == ("approved", None)


def test_an_abort_while_the_declined_one_waits_for_a_login_does_not_spin() -> None:
    lane = lanes.signing_with_a_login_out()
    assert lane.state.prompt is not None
    lane.do(ev.PromptAnswered(lane.state.prompt.id, False))
    assert lane.phase is Phase.SIGNING_RELOGIN
    lane.do(ev.AbortAsked("a"))
    aborts = lane.sent_now(m.AbortRequest)
    lane.wait(8.0)  # "it would spin": and a lane that spins takes no events any more
    assert aborts == [], "there is nothing to abort: it is charged"


def test_the_reversal_of_a_declined_one_waits_for_the_login_that_is_out() -> None:
    """The terminal had asked, and was told no; it charged all the same."""
    config = light(configuration(signature="decline"))
    lane = lanes.quiet(config)
    lane.do(lanes.asks(), lane.status("NotAllowed"))
    assert lane.phase is Phase.RELOGIN
    lane.do(lane.answered(receipts=(lanes.receipt(),)))
    assert lane.sent_now(m.ReversalRequest) == [], "the Login would kill it"
    lane.do(lanes.login())
    assert lane.sent_now(m.ReversalRequest)
