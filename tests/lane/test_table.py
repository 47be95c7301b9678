"""The table is total: every cell is visited, and does what it says."""

from collections.abc import Iterator

import lanes
import pytest
from lanes import Lane, configuration, replace

from laned.lane import events as ev
from laned.lane.start import JournalSnapshot
from laned.lane.state import SetAside, Phase
from laned.lane.table import TABLE, Ignore, Refuse
from laned.nexo import messages as m

CELLS = [
    pytest.param(event, phase, id=f"{event.__name__}-{phase}")
    for event, row in TABLE.items()
    for phase in row
]


def situations(phase: Phase) -> Iterator[Lane]:
    """Lanes in this phase: fresh, with a question open, and when something has fallen due."""
    for signature in ("decline", "button", "till"):
        config = configuration(signature=signature)
        for make in lanes.MAKERS[phase]:
            yield make(config)
            asked = make(config)
            asked.do(lanes.asks())
            yield asked
            aborted = make(config)
            if aborted.state.payment is not None and phase is not Phase.PENDING:
                aborted.do(ev.AbortAsked("a"))
            if aborted.phase is phase:
                yield aborted
            for late in (make(config), asked):
                if late.state.wake_at is not None:
                    late.now = late.state.wake_at
                    yield late
            later = make(config)
            later.now += 3600.0
            yield later
            yield with_a_past(make(config))


def with_a_past(lane: Lane) -> Lane:
    """The lane, in a new journal, and after a person resolved a payment whose POST is open."""
    past = RESOLVED.state
    lane.state = replace(
        lane.state, set_aside=past.set_aside, settled=past.settled, journal="new"
    )
    return lane


RESOLVED = (
    Lane(at=50.0, past=JournalSnapshot(next_service_id=500))
    .then(ev.TimePassed())
    .then(lanes.login())
)
RESOLVED.do(ev.PaymentAsked(lanes.order("v")))
RESOLVED.do(RESOLVED.left())
RESOLVED.wait(30.0)
RESOLVED.do(RESOLVED.silent())
RESOLVED.do(lanes.resolution(payment_id="v"))
assert isinstance(RESOLVED.state.set_aside[0], SetAside)


def variants(kind: type[ev.Event], lane: Lane) -> Iterator[ev.Event]:
    """Events of this kind, plausible here and not."""
    yield from _from_people(kind, lane)
    yield from _from_the_terminal(kind)
    attempted = lane.state.attempt is not None
    known = lane if attempted else lanes.paying()
    if kind is ev.AttemptSent:
        yield from (known.left(), ev.AttemptSent("5"))
    elif kind is ev.AttemptNotSent:
        yield from (known.not_sent(), ev.AttemptNotSent("5", "no route"))
    elif kind is ev.AttemptLost:
        yield from (known.lost(), ev.AttemptLost("5", "broken"), RESOLVED.lost())
    elif kind is ev.StatusFailed:
        yield from (lane.silent(), ev.StatusFailed("5", "no answer"))
    elif kind is ev.AttemptAnswered:
        for condition in (None, "", "SomethingNew", *m.ErrorCondition):
            yield known.answered(condition)
        yield known.answered(poi_owner="b")
        yield known.answered(header=known.header(poi_id="other"))
        yield replace(known.answered(), service_id="5")
        yield RESOLVED.answered()
        if not known.state.reversing:
            yield known.answered(sale_transaction=None)
            yield known.answered(amounts=None)
    elif kind is ev.StatusAnswered:
        for condition in ("", "SomethingNew", *m.ErrorCondition):
            yield lane.status(condition)
            yield known.repeated(condition)
        yield lane.status("", "Success")
        yield known.repeated()
        yield known.repeated(poi_owner="b")
        yield from (known.last_was(of) for of in (None, "a", "older"))
        yield known.last_was("a", m.ReversalResponse(response=m.Response(result="Success")))
        yield known.repeated(header=known.header(service_id="5"))
        yield known.repeated(body=m.UnknownBody("Anything"))
        yield replace(known.repeated(), service_id="5")
        yield RESOLVED.repeated()


def _from_people(kind: type[ev.Event], lane: Lane) -> Iterator[ev.Event]:
    prompt = lane.state.prompt
    ids = [prompt.id] if prompt else []
    values: dict[type[ev.Event], list[ev.Event]] = {
        ev.PaymentAsked: [
            ev.PaymentAsked(lanes.order("n")),
            ev.PaymentAsked(lanes.order("n", confirm="button", type="refund")),
        ],
        ev.AbortAsked: [ev.AbortAsked("a"), ev.AbortAsked("z")],
        ev.ConfirmAsked: [ev.ConfirmAsked("a"), ev.ConfirmAsked("z")],
        ev.PromptAnswered: [
            ev.PromptAnswered(name, confirmed)
            for name in (*ids, "z")
            for confirmed in (True, False)
        ],
        ev.ReversalAsked: [
            lanes.reversal_of(lane.state.settled),
            lanes.reversal_of(lane.state.settled, superseded_by="b"),
            lanes.reversal_of(None),
        ],
        ev.ResolveAsked: [
            lanes.resolution(state, name) for state in ("approved", "failed") for name in ("a", "z")
        ],
        ev.JournalAcknowledged: [ev.JournalAcknowledged()],
        ev.JournalReported: [ev.JournalReported("full"), ev.JournalReported("ok")],
        ev.LoginAsked: [ev.LoginAsked()],
        ev.LearnAsked: [ev.LearnAsked()],
        ev.UpdateAsked: [ev.UpdateAsked()],
        ev.ConfigChanged: [ev.ConfigChanged(configuration(signature_timeout=7.0))],
        ev.TerminalProbed: [
            ev.TerminalProbed("192.0.2.15:11000", reached) for reached in (True, False)
        ],
        ev.LogoutAsked: [ev.LogoutAsked(maintenance=True), ev.LogoutAsked(maintenance=False)],
        ev.ButtonPressed: [ev.ButtonPressed(name) for name in ("confirm", "abort", "approve", "x")],
        ev.ButtonReleased: [ev.ButtonReleased("abort")],
        ev.TimePassed: [ev.TimePassed()],
        ev.HardwareReported: [
            ev.HardwareReported("display", "ok"),
            ev.HardwareReported("buttons", "failing"),
        ],
        ev.StopAsked: [ev.StopAsked()],
    }
    yield from values.get(kind, [])


def _from_the_terminal(kind: type[ev.Event]) -> Iterator[ev.Event]:
    ok = m.LogoutResponse(response=m.Response(result="Success"))
    names = ["Abort", "Shutdown", "Initialised", "CardInserted", "SaleAdmin", "Anything"]
    names += ["BeginMaintenance", "EndMaintenance"]
    failed = m.Response(result="Failure", error_condition="NotAllowed")
    values: dict[type[ev.Event], list[ev.Event]] = {
        ev.LoginAnswered: [
            lanes.login(),
            lanes.login("serial-2"),
            lanes.login(condition="Busy"),
            lanes.login(condition=""),
        ],
        ev.LoginFailed: [ev.LoginFailed("no answer")],
        ev.LogoutEnded: [ev.LogoutEnded(ok), ev.LogoutEnded(None), lanes.logout("Busy")],
        ev.UpdateAnswered: [
            ev.UpdateAnswered(None),
            ev.UpdateAnswered(m.AdminResponse(response=ok.response)),
            ev.UpdateAnswered(m.AdminResponse(response=failed)),
        ],
        ev.DisplayShown: [lanes.shows(), lanes.shows("A\nB", 9202), ev.DisplayShown(())],
        ev.Printed: [ev.Printed(m.Receipt(qualifier="CashierReceipt", lines=("x",)))],
        ev.InputAsked: [lanes.asks("k2"), lanes.asks("k3", "", 0), lanes.asks("k4", "?", 30)],
        ev.InputWithdrawn: [ev.InputWithdrawn("k1"), ev.InputWithdrawn("k9")],
        ev.TerminalNotified: [
            ev.TerminalNotified(event=name, maintenance_required=True) for name in names
        ],
        ev.AddressAnnounced: [
            ev.AddressAnnounced(address, admitted)
            for address in ("192.0.2.15:11000", "192.0.2.77:11000")
            for admitted in (True, False)
        ],
    }
    yield from values.get(kind, [])


def test_every_kind_of_event_has_a_row_with_every_phase() -> None:
    assert set(TABLE) == set(ev.Event.__subclasses__())
    assert all(set(row) == set(Phase) for row in TABLE.values())


@pytest.mark.parametrize("phase", Phase)
def test_the_prepared_lanes_are_in_their_phase(phase: Phase) -> None:
    assert {lane.phase for lane in situations(phase)} == {phase}


@pytest.mark.parametrize(("kind", "phase"), CELLS)
def test_the_cell_does_what_it_says(kind: type[ev.Event], phase: Phase) -> None:
    cell = TABLE[kind][phase]
    did_something, tried = False, 0
    for lane in situations(phase):
        before = lane.state
        for event in variants(kind, lane):
            tried += 1
            lane.state = before
            step = lane.do(event)  # never raises
            if isinstance(cell, Ignore):
                assert step.state is before
                assert (step.effects, step.refusal) == ((), None)
            elif isinstance(cell, Refuse):
                assert step.state is before
                assert step.effects == ()
                assert step.refusal is not None
                assert (step.refusal.code, step.refusal.detail) == (cell.code, cell.detail)
            if step.refusal is not None:
                assert (step.state, step.effects) == (before, ())
            did_something |= (step.state, step.effects) != (before, ()) or bool(step.refusal)
    assert tried > 0
    assert did_something is not isinstance(cell, Ignore), "an action that never acts"


def test_the_reasons_are_given() -> None:
    cells = [cell for row in TABLE.values() for cell in row.values()]
    ignored = [cell for cell in cells if isinstance(cell, Ignore)]
    refused = [cell for cell in cells if isinstance(cell, Refuse)]
    assert ignored
    assert all(cell.reason.strip() for cell in ignored)
    assert refused
    assert all(cell.code and cell.detail.strip() for cell in refused)
