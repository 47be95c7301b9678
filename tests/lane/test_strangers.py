"""Strangers who announce themselves never keep the lane from its own terminal."""

import lanes
from lanes import Lane, configuration, replace
from test_addresses import (
    ADMITTED,
    GONE,
    HERE,
    STRANGER,
    THERE,
    after_a_look,
    gone,
    login_to,
    next_login,
)

from laned.lane import events as ev
from laned.lane.state import Phase
from laned.nexo import messages as m

RATE = 10.0  # seconds between two announcements of strangers that the listener lets pass


def test_a_stranger_who_refuses_the_login_does_not_keep_it() -> None:
    """Who answers Busy is asked again, but not for ever and instead of our terminal."""
    lane = gone().then(STRANGER)
    tried = []
    for _ in range(6):
        tried.append(next_login(lane))
        lane.do(lanes.login("", "Busy") if tried[-1] == THERE else GONE)
    assert HERE in tried, tried


def test_strangers_who_announce_again_and_again_do_not_come_before_our_terminal() -> None:
    """At the rate that the listener allows, from a peer that takes the Login and is silent."""
    lane = gone()
    tried: list[str] = []
    announced = 0
    for _ in range(120):  # twenty minutes
        if lane.phase is Phase.OFFLINE:
            announced += 1
            address = f"192.0.2.66:{11000 + announced}"
            lane.do(ev.AddressAnnounced(address, admitted=False))
        lane.wait(0.0)
        if lane.phase is Phase.LOGGING_IN:
            tried.append(login_to(lane))
            lane.wait(RATE)  # status_timeout
            lane.do(GONE)
        else:
            lane.wait(RATE)
    assert HERE in tried, tried


def test_a_terminal_that_has_moved_and_is_still_starting_is_found() -> None:
    """It announces itself once; a first Login that fails must not be the last."""
    lane = gone().then(STRANGER)
    assert after_a_look(lane) == THERE
    lane.do(GONE)
    tried = []
    for _ in range(6):
        tried.append(next_login(lane))
        lane.do(GONE)
    assert THERE in tried, tried


def test_a_first_terminal_that_is_still_starting_is_found() -> None:
    lane = lanes.without_address().then(ADMITTED)
    assert next_login(lane) == THERE
    lane.do(GONE)
    assert lane.state.wake_at is not None
    lane.wait(120.0)
    assert len(lane.sent(m.LoginRequest)) > 1, (lane.phase, lane.state.reason)


def test_a_survey_that_followed_a_stranger_comes_back() -> None:
    """The file names address and serial number; the journal is new."""
    config = configuration()
    config = replace(config, terminal=replace(config.terminal, serial=lanes.SERIAL))
    lane = lanes.survey_unreachable(config).then(STRANGER)
    asked: list[str] = []
    for _ in range(8):
        lane.wait(30.0)
        if lane.state.asking:
            asked.append(lane.sent(m.TransactionStatusRequest)[-1].address)
            lane.do(lane.silent())
    assert HERE in asked, asked


def test_a_survey_believes_no_stranger() -> None:
    """Whose answer would end the survey: what our terminal did last would never be asked."""
    config = configuration()
    config = replace(config, terminal=replace(config.terminal, serial=lanes.SERIAL))
    lane = lanes.survey_unreachable(config).then(STRANGER)
    lane.wait(30.0)
    assert lane.sent(m.TransactionStatusRequest)[-1].address == HERE


def relogin_elsewhere() -> Lane:
    """A payment in doubt at HERE; the file has named another address since."""
    lane = lanes.doubt()
    config = configuration()
    config = replace(config, terminal=replace(config.terminal, address=THERE))
    return lanes.restarted(lane, config)


def test_a_login_for_a_payment_in_doubt_goes_where_the_payment_went() -> None:
    """Money rule 3: the address it was sent with; another terminal is not reset every 2 s."""
    life = relogin_elsewhere()
    life.wait(0)
    life.do(life.status("NotAllowed"))
    assert login_to(life) == HERE


def test_logins_for_a_payment_in_doubt_do_not_come_every_two_seconds_for_ever() -> None:
    lane = lanes.doubt()
    before = len(lane.sent(m.LoginRequest))
    for _ in range(100):
        if lane.phase is Phase.RELOGIN:
            lane.do(lanes.login("serial-2"))
        elif lane.state.asking:
            lane.do(lane.status("NotAllowed"))
        lane.wait(2.0)
    logins = len(lane.sent(m.LoginRequest)) - before
    assert logins < 20, f"{logins} Logins within {200} s"
