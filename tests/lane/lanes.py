"""Lanes for tests, in each phase."""

from collections.abc import Callable
from typing import Any

from onelane import BEGIN as BEGIN
from onelane import FIRST_SERVICE_ID as FIRST_SERVICE_ID
from onelane import SERIAL as SERIAL
from onelane import Lane as Lane
from onelane import asks as asks
from onelane import configuration as configuration
from onelane import light as light
from onelane import login as login
from onelane import order as order
from onelane import receipt as receipt
from onelane import replace as replace
from onelane import shows as shows
from onelane import with_approve_button as with_approve_button
from onelane import with_till_button as with_till_button

from laned.config.schema import Config as Config
from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import Payment
from laned.lane.start import JournalSnapshot
from laned.lane.state import LaneState as LaneState
from laned.lane.state import Phase as Phase
from laned.lane.state import SetAside
from laned.nexo import messages as m

# -- Lanes in each phase ------------------------------------------------------------------------

Make = Callable[..., Lane]


def offline(config: Config | None = None) -> Lane:
    return Lane(config)


def logging_in(config: Config | None = None) -> Lane:
    return offline(config).then(ev.TimePassed())


def ready(config: Config | None = None) -> Lane:
    return logging_in(config).then(login())


def logging_out(config: Config | None = None) -> Lane:
    return ready(config).then(ev.LogoutAsked(maintenance=False))


def logging_out_for_maintenance(config: Config | None = None) -> Lane:
    return ready(config).then(ev.LogoutAsked(maintenance=True))


def logged_out(config: Config | None = None) -> Lane:
    return logging_out(config).then(logout())


def in_maintenance(config: Config | None = None) -> Lane:
    """LOGGED_OUT so that the terminal can maintain itself."""
    return logging_out_for_maintenance(config).then(logout())


def logout(condition: str | None = None) -> ev.LogoutEnded:
    """An answer to a Logout."""
    result = "Success" if condition is None else "Failure"
    response = m.Response(result=result, error_condition=condition)
    return ev.LogoutEnded(m.LogoutResponse(response=response))


def logging_out_again(config: Config | None = None) -> Lane:
    """LOGGING_OUT, the terminal was too busy for the first Logout."""
    return logging_out(config).then(logout("Busy"))


def unreachable(config: Config | None = None) -> Lane:
    """OFFLINE, the terminal does not answer a Login."""
    return logging_in(config).then(ev.LoginFailed("no answer"))


def without_address(config: Config | None = None) -> Lane:
    """OFFLINE, and nobody has said where the terminal is."""
    config = config or configuration()
    auto = replace(config, terminal=replace(config.terminal, address="auto"))
    return offline(auto).then(ev.TimePassed())


def checking(config: Config | None = None) -> Lane:
    """READY, and the terminal is asked whether the session stands."""
    return ready(config).then(ev.TerminalNotified(event="Initialised"))


def wanted(config: Config | None = None) -> Lane:
    """READY, and the terminal has asked for maintenance."""
    return ready(config).then(ev.TerminalNotified(event="SaleAdmin", maintenance_required=True))


def updating(config: Config | None = None) -> Lane:
    return ready(config).then(ev.UpdateAsked())


def signing(config: Config | None = None) -> Lane:
    """SIGNING; where nobody may approve a signature, the till may."""
    config = light(config)
    if config.payment.signature == "decline":
        config = replace(config, payment=replace(config.payment, signature="till"))
    lane = paying(config)
    return lane.then(lane.answered(receipts=(receipt(),)))


def signing_with_a_login_out(config: Config | None = None) -> Lane:
    """SIGNING_RELOGIN; the terminal had said that there was no session."""
    config = signing(config).config
    lane = quiet(config)
    lane.do(lane.status("NotAllowed"))
    return lane.then(lane.answered(receipts=(receipt(),)))


def pending(config: Config | None = None) -> Lane:
    return ready(config).then(ev.PaymentAsked(order(confirm="button")))


def paying(config: Config | None = None, **asked: Any) -> Lane:
    lane = ready(config)
    lane.do(ev.PaymentAsked(order(**asked)))
    lane.do(lane.left())
    return lane


def just_asked(config: Config | None = None) -> Lane:
    """PAYING, the request's last byte has not left yet."""
    return ready(config).then(ev.PaymentAsked(order()))


def quiet(config: Config | None = None) -> Lane:
    """PAYING, and after 30 s without a sign of life a question is out."""
    return paying(config).wait(30.0)


def refused_early(config: Config | None = None) -> Lane:
    """RETRYING, the answer overtook the news that the request had left."""
    lane = just_asked(config)
    lane.do(lane.answered("Busy"))
    return lane


def retrying(config: Config | None = None) -> Lane:
    lane = paying(config)
    lane.do(lane.answered("Busy"))
    return lane


def asking_for_session(config: Config | None = None) -> Lane:
    """RETRYING, refused for want of a session; a question is out."""
    lane = paying(config)
    lane.do(lane.answered("NotAllowed"))
    return lane


def doubt(config: Config | None = None) -> Lane:
    """DOUBT, the first question is out."""
    lane = paying(config)
    lane.do(lane.lost())
    return lane


def unknown(config: Config | None = None) -> Lane:
    """DOUBT, and the terminal was silent."""
    lane = doubt(config)
    lane.do(lane.silent())
    return lane


def relogin(config: Config | None = None) -> Lane:
    """RELOGIN because of an attempt in doubt."""
    lane = doubt(config)
    lane.do(lane.status("NotAllowed"))
    return lane


def relogin_with_open_post(config: Config | None = None) -> Lane:
    """RELOGIN, and the attempt's own answer may still come."""
    lane = quiet(config)
    return lane.then(lane.status("NotAllowed"))


def relogin_between(config: Config | None = None) -> Lane:
    """RELOGIN between two attempts."""
    lane = asking_for_session(config)
    lane.do(lane.status("NotAllowed"))
    return lane


def stopped(config: Config | None = None) -> Lane:
    return offline(config).then(ev.StopAsked())


def stopped_paying(config: Config | None = None) -> Lane:
    return paying(config).then(ev.StopAsked())


def making_an_end(config: Config | None = None) -> Lane:
    """DOUBT; two answers have decided nothing, and a Login will make an end of it."""
    lane = doubt(config)
    lane.do(lane.status("NotFound"))
    lane.wait(10.0)
    lane.do(lane.status("NotFound"))
    assert lane.pursuit.login_at is not None
    return lane


def approved(config: Config | None = None) -> Lane:
    """READY, and payment "a" is approved."""
    lane = paying(config)
    lane.do(lane.answered())
    return lane


def reversal_of(payment: Payment | None, superseded_by: str | None = None) -> ev.ReversalAsked:
    """What a till asks, with what the journal knows."""
    return ev.ReversalAsked(
        payment_id=payment.id if payment else "z",
        reason=m.ReversalReason.MERCHANT_CANCEL,
        payment=payment,
        superseded_by=superseded_by,
    )


def just_reversing(config: Config | None = None) -> Lane:
    """PAYING a reversal, its last byte has not left yet."""
    lane = approved(config)
    return lane.then(reversal_of(lane.state.settled))


def reversing(config: Config | None = None) -> Lane:
    """PAYING a reversal."""
    lane = just_reversing(config)
    return lane.then(lane.left())


def reversal_quiet(config: Config | None = None) -> Lane:
    """PAYING a reversal, a question is out."""
    return reversing(config).wait(30.0)


def reversal_retrying(config: Config | None = None) -> Lane:
    lane = reversing(config)
    return lane.then(lane.answered("Busy"))


def reversal_asking_for_session(config: Config | None = None) -> Lane:
    """RETRYING a reversal, refused for want of a session; a question is out."""
    lane = reversing(config)
    return lane.then(lane.answered("NotAllowed"))


def reversal_doubt(config: Config | None = None) -> Lane:
    """DOUBT about a reversal, the first question is out."""
    lane = reversing(config)
    return lane.then(lane.lost())


def reversal_unknown(config: Config | None = None) -> Lane:
    lane = reversal_doubt(config)
    return lane.then(lane.silent())


def reversal_relogin(config: Config | None = None) -> Lane:
    lane = reversal_doubt(config)
    return lane.then(lane.status("NotAllowed"))


def reversal_relogin_between(config: Config | None = None) -> Lane:
    lane = reversal_asking_for_session(config)
    return lane.then(lane.status("NotAllowed"))


def silent_with_open_post(config: Config | None = None) -> Lane:
    """PAYING, and unknown: the terminal is silent, its own answer may still come."""
    lane = quiet(config)
    return lane.then(lane.silent())


def resolution(state: Any = "failed", payment_id: str = "a") -> ev.ResolveAsked:
    """A person's verdict."""
    return ev.ResolveAsked(payment_id=payment_id, state=state, note="asked the bank", uid=1000)


def resolved(config: Config | None = None) -> Lane:
    """READY: a person has resolved payment "a", and its own answer may still come."""
    return silent_with_open_post(config).then(resolution())


def undecided(config: Config | None = None) -> Lane:
    """READY: payment "a" is set aside."""
    lane = quiet(config)
    lane.do(lane.status("NotAllowed"), login())
    return lane.then(lane.status("NotFound"))


def reviewing(config: Config | None = None) -> Lane:
    """REVIEWING, after a Login by hand."""
    lane = undecided(config)
    lane.do(ev.LoginAsked())
    lane.do(lane.status("NotFound"))
    lane.do(login())
    return lane.wait(0)


def reviewing_before_a_login(config: Config | None = None) -> Lane:
    """REVIEWING at the beginning of a life."""
    return restarted(undecided(config)).then(ev.TimePassed())


def checking_first(config: Config | None = None) -> Lane:
    """CHECKING: payment "b" waits until the terminal was asked after what is set aside."""
    return undecided(config).then(ev.PaymentAsked(order("b")))


def not_surveyed(journal: str = "ok") -> JournalSnapshot:
    return JournalSnapshot(next_service_id=FIRST_SERVICE_ID, surveyed=False, journal=journal)


def about_to_survey(config: Config | None = None) -> Lane:
    return Lane(config, not_surveyed())


def survey(config: Config | None = None) -> Lane:
    """SURVEY, the question is out."""
    return about_to_survey(config).then(ev.TimePassed())


def survey_unreachable(config: Config | None = None) -> Lane:
    lane = survey(config)
    return lane.then(lane.silent())


def broken(config: Config | None = None) -> Lane:
    return Lane(config, JournalSnapshot(next_service_id=1, journal="corrupt"))


UNFINISHED = (
    Phase.PENDING,
    Phase.CHECKING,
    Phase.PAYING,
    Phase.RETRYING,
    Phase.DOUBT,
    Phase.RELOGIN,
    Phase.SIGNING,
    Phase.SIGNING_RELOGIN,
)

MAKERS: dict[Phase, tuple[Make, ...]] = {
    Phase.OFFLINE: (offline, unreachable, without_address),
    Phase.LOGGING_IN: (logging_in,),
    Phase.READY: (ready, approved, resolved, undecided, checking, wanted),
    Phase.REVIEWING: (reviewing, reviewing_before_a_login),
    Phase.CHECKING: (checking_first,),
    Phase.LOGGING_OUT: (logging_out, logging_out_again, logging_out_for_maintenance),
    Phase.LOGGED_OUT: (logged_out, in_maintenance),
    Phase.UPDATING: (updating,),
    Phase.PENDING: (pending,),
    Phase.PAYING: (
        paying,
        just_asked,
        quiet,
        silent_with_open_post,
        just_reversing,
        reversing,
        reversal_quiet,
    ),
    Phase.RETRYING: (
        retrying,
        refused_early,
        asking_for_session,
        reversal_retrying,
        reversal_asking_for_session,
    ),
    Phase.DOUBT: (doubt, unknown, making_an_end, reversal_doubt, reversal_unknown),
    Phase.RELOGIN: (
        relogin,
        relogin_with_open_post,
        relogin_between,
        reversal_relogin,
        reversal_relogin_between,
    ),
    Phase.SIGNING: (signing,),
    Phase.SIGNING_RELOGIN: (signing_with_a_login_out,),
    Phase.SURVEY: (about_to_survey, survey, survey_unreachable),
    Phase.BROKEN: (broken,),
    Phase.STOPPED: (stopped, stopped_paying),
}


def past_of(lane: Lane) -> JournalSnapshot:
    """What a crash now would leave behind, read from what was recorded."""
    payment, below = None, FIRST_SERVICE_ID
    surveyed, journal, doubts = lane.past.surveyed, lane.past.journal, lane.past.doubts
    newest_of = {one.payment.id: one.attempt for one in lane.past.set_aside}
    payments = {one.payment.id: one.payment for one in lane.past.set_aside}
    until = {one.payment.id: one.until for one in lane.past.set_aside}
    seen = fx.TerminalSeen(lane.past.address, lane.past.serial, lane.past.configured)
    for entry in lane.entries:
        match entry:
            case fx.PaymentOpened(opened, _):
                payment = opened
            case fx.PaymentChanged(changed):
                if not changed.settled:
                    payment = changed
                elif payment is not None and payment.id == changed.id:
                    payment = None
                payments[changed.id] = changed
            case fx.AttemptOpened(payment_id, attempt):
                newest_of[payment_id] = attempt
            case fx.AttemptChanged(attempt):
                for name, newest in newest_of.items():
                    if newest.service_id == attempt.service_id:
                        newest_of[name] = attempt
            case fx.AskedAfter(payment_id, asked_until):
                until.pop(payment_id, None)
                if asked_until is not None:
                    until[payment_id] = asked_until
            case fx.DoubtsCounted(counted):
                doubts = counted
            case fx.TerminalSeen():
                seen = entry
            case fx.ServiceIDsReserved(reserved):
                below = reserved
            case fx.Surveyed():
                surveyed = True
            case fx.Acknowledged():
                journal = "ok"
    return JournalSnapshot(
        next_service_id=below,
        surveyed=surveyed,
        journal=journal,
        payment=payment,
        attempt=newest_of.get(payment.id) if payment is not None else None,
        set_aside=tuple(
            SetAside(payment=payments[name], attempt=newest_of[name], until=at)
            for name, at in until.items()
            if payments[name].settled
        ),
        doubts=doubts,
        address=seen.address,
        serial=seen.serial,
        configured=seen.configured,
    )


def restarted(lane: Lane, config: Config | None = None) -> Lane:
    """The next life after a crash; it remembers what the one before had sent and recorded."""
    life = Lane(config or lane.config, past_of(lane), at=lane.now)
    life._tokens = lane._tokens
    life.sends[:0] = lane.sends
    life.entries[:0] = lane.entries
    return life
