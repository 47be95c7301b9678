"""The daily window, the terminal's own wish, and how long it is left alone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import lanes
import pytest
from lanes import Lane, configuration, replace

from laned.config.schema import MaintenanceConfig
from laned.lane import events as ev
from laned.lane.machine import handle
from laned.lane.maintenance import AT_LEAST, CLOCK_LOOK, IDLE_BEFORE, WITHOUT_CLOCK, window
from laned.lane.session import LOGOUT_AGAIN
from laned.lane.state import Phase, SessionState
from laned.nexo import messages as m

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NIGHT = (time(3, 0), time(4, 30))
HOUR = 3600.0
WITHOUT_WINDOW = replace(configuration(), maintenance=MaintenanceConfig(window=""))
SALE_ADMIN = ev.TerminalNotified(event="SaleAdmin", maintenance_required=True)
BEGIN = ev.TerminalNotified(event="BeginMaintenance")
END = ev.TerminalNotified(event="EndMaintenance")


class Night(Lane):
    """A lane whose wall clock shows this local time at monotonic 0, and may jump."""

    def __init__(
        self, local: datetime, times: str = "03:00-04:30", *, synchronised: bool = True
    ) -> None:
        self.wall_at_0 = local.astimezone(UTC)
        self.synchronised = synchronised
        config = configuration()
        config = replace(config, maintenance=replace(config.maintenance, window=times))
        super().__init__(config, at=0.0)
        self.then(ev.TimePassed()).then(lanes.login())

    def moment(self) -> ev.Moment:
        wall = (self.wall_at_0 + timedelta(seconds=self.now)).astimezone(STOCKHOLM)
        return replace(super().moment(), wall=wall, synchronised=self.synchronised)

    @property
    def clock(self) -> str:
        """What the wall clock shows."""
        return f"{self.moment().wall:%H:%M}"

    def until(self, phase: Phase, longest: float = 40 * HOUR) -> float:
        """Let time pass until the lane is in this phase; the Logout and Login are answered."""
        began = self.now
        while self.phase is not phase:
            if self.phase is Phase.LOGGING_OUT and self.state.logout_at is None:
                self.do(lanes.logout())
                continue
            if self.phase is Phase.LOGGING_IN:
                self.do(lanes.login())
                continue
            assert self.state.wake_at is not None
            assert self.state.wake_at <= began + longest, self.clock
            self.wait(self.state.wake_at - self.now)
        return self.now - began


def local(text: str, zone: ZoneInfo = STOCKHOLM) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


# -- The window -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "times", "begin", "end"),
    [
        ("2025-06-07 12:00", NIGHT, "2025-06-08 01:00", "2025-06-08 02:30"),
        ("2025-06-07 03:00", NIGHT, "2025-06-07 01:00", "2025-06-07 02:30"),
        ("2025-06-07 04:29:59", NIGHT, "2025-06-07 01:00", "2025-06-07 02:30"),
        ("2025-06-07 04:30", NIGHT, "2025-06-08 01:00", "2025-06-08 02:30"),
        ("2025-01-07 12:00", NIGHT, "2025-01-08 02:00", "2025-01-08 03:30"),
        # over midnight: yesterday's is still on
        ("2025-06-07 00:30", (time(23, 30), time(1, 0)), "2025-06-06 21:30", "2025-06-06 23:00"),
        # 30 March: 02:00 to 03:00 does not exist
        ("2025-03-30 00:00", (time(2, 0), time(3, 0)), "2025-03-30 01:00", "2025-03-30 02:00"),
        ("2025-03-30 00:00", (time(1, 30), time(3, 0)), "2025-03-30 00:30", "2025-03-30 01:30"),
        # 26 October: 02:00 to 03:00 comes twice
        ("2025-10-26 00:00", (time(2, 0), time(3, 0)), "2025-10-26 00:00", "2025-10-26 02:00"),
    ],
)
def test_the_window(now: str, times: tuple[time, time], begin: str, end: str) -> None:
    expected = tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (begin, end))
    assert window(local(now), times) == expected


def test_there_is_one_window_each_day_of_a_year_with_both_changes_of_the_clock() -> None:
    seen = set()
    at = local("2025-01-01 12:00").astimezone(UTC)
    for _ in range(2 * 365):
        begin, end = window(at.astimezone(STOCKHOLM), (time(2, 0), time(3, 0)))
        assert (end - begin).total_seconds() >= AT_LEAST
        seen.add(begin.astimezone(STOCKHOLM).date())
        at += timedelta(hours=12)
    assert len(seen) == 365


def test_the_lane_logs_out_for_its_window_and_in_again_at_its_end() -> None:
    lane = Night(local("2025-06-07 12:00"))
    for _ in range(3):
        lane.until(Phase.LOGGED_OUT)
        assert lane.clock == "03:00"
        assert lane.state.session is SessionState.MAINTENANCE
        assert lane.sent(m.LogoutRequest)[-1].message.body == m.LogoutRequest(
            maintenance_allowed=True
        )
        lane.until(Phase.READY)
        assert lane.clock == "04:30"
    assert len(lane.sent(m.LogoutRequest)) == 3


@pytest.mark.parametrize("day", ["2025-03-29 12:00", "2025-10-25 12:00"])
@pytest.mark.parametrize("times", ["02:00-03:00", "01:30-03:00", "02:30-04:00", "03:00-04:30"])
def test_the_night_in_which_the_clock_changes_has_its_hour_too(day: str, times: str) -> None:
    lane = Night(local(day), times)
    lane.until(Phase.LOGGED_OUT)
    out = lane.until(Phase.READY)
    assert AT_LEAST <= out <= 2.5 * HOUR
    lane.until(Phase.LOGGED_OUT)
    assert 20 * HOUR < lane.now - 12 * HOUR < 30 * HOUR, "once a night"


def test_a_payment_in_progress_is_finished_first() -> None:
    lane = Night(local("2025-06-07 02:59"))
    lane.do(ev.PaymentAsked(lanes.order()))
    lane.do(lane.left())
    lane.wait(20 * 60)
    assert lane.phase in (Phase.PAYING, Phase.DOUBT)
    lane.do(lane.answered())
    assert (lane.phase, lane.payment.state) == (Phase.LOGGING_OUT, "approved")
    lane.until(Phase.LOGGED_OUT)
    out = lane.until(Phase.READY)
    assert lane.clock == "04:30"
    assert out == pytest.approx(70 * 60, abs=60)


def test_a_logout_lasts_an_hour_even_if_the_window_is_over_sooner() -> None:
    lane = Night(local("2025-06-07 04:20"))
    assert lane.phase is Phase.LOGGING_OUT, "a life that begins in the window begins with it"
    lane.until(Phase.LOGGED_OUT)
    assert lane.until(Phase.READY) == AT_LEAST


def test_no_payment_is_taken_while_the_terminal_is_left_alone() -> None:
    lane = Night(local("2025-06-07 03:00"))
    lane.until(Phase.LOGGED_OUT)
    refusal = lane.do(ev.PaymentAsked(lanes.order())).refusal
    assert refusal is not None
    assert refusal.code == "terminal_unavailable"


def test_without_a_window_the_terminal_is_never_logged_out() -> None:
    lane = Night(local("2025-06-07 12:00"), "")
    lane.wait(60 * HOUR)
    assert (lane.phase, lane.sent(m.LogoutRequest)) == (Phase.READY, [])


# -- Clocks that are wrong ------------------------------------------------------------------------


def test_a_clock_that_is_not_synchronised_is_not_believed_but_after_a_day_it_is_time() -> None:
    lane = Night(local("1970-01-01 02:00"), synchronised=False)
    assert lane.until(Phase.LOGGED_OUT) == pytest.approx(WITHOUT_CLOCK, abs=CLOCK_LOOK)
    assert lane.until(Phase.READY) == AT_LEAST
    assert lane.until(Phase.LOGGED_OUT) == pytest.approx(WITHOUT_CLOCK, abs=2 * CLOCK_LOOK + HOUR)


def test_a_clock_that_is_set_later_is_noticed() -> None:
    lane = Night(local("1970-01-01 00:00"), synchronised=False)
    lane.wait(300)
    lane.wall_at_0 = local("2025-06-07 03:10").astimezone(UTC) - timedelta(seconds=lane.now)
    lane.synchronised = True
    assert lane.until(Phase.LOGGED_OUT) <= CLOCK_LOOK
    lane.until(Phase.READY)
    assert lane.clock == "04:30"


@pytest.mark.parametrize("jump", [-5, -1, 1, 5, 17, -23])
def test_a_clock_that_jumps_while_it_is_out_does_not_keep_it_out(jump: int) -> None:
    lane = Night(local("2025-06-07 03:00"))
    lane.until(Phase.LOGGED_OUT)
    lane.wait(600)
    lane.wall_at_0 += timedelta(hours=jump)
    out = 600 + lane.until(Phase.READY)
    again = HOUR if jump == -1 else 0  # it is that window once more
    assert AT_LEAST <= out <= 1.5 * HOUR + again + CLOCK_LOOK


def test_a_person_who_logs_in_within_the_window_is_not_thrown_out_again() -> None:
    lane = Night(local("2025-06-07 03:00"))
    lane.until(Phase.LOGGED_OUT)
    lane.wait(600)
    lane.do(ev.LoginAsked(), lanes.login())
    assert lane.until(Phase.LOGGED_OUT) > 20 * HOUR


def test_a_clock_that_is_put_back_a_little_after_the_window_does_not_begin_it_again() -> None:
    lane = Night(local("2025-06-07 03:00"))
    lane.until(Phase.LOGGED_OUT)
    lane.until(Phase.READY)
    lane.wall_at_0 -= timedelta(seconds=30)
    assert lane.until(Phase.LOGGED_OUT) > 20 * HOUR


# -- The terminal asks for it ---------------------------------------------------------------------


def test_the_terminals_wish_is_granted_after_ten_idle_minutes() -> None:
    lane = Night(local("2025-06-07 12:00"))
    lane.wait(HOUR)
    lane.do(ev.PaymentAsked(lanes.order()))
    lane.do(lane.left(), SALE_ADMIN)
    lane.wait(20)
    lane.do(lane.answered())
    assert lane.until(Phase.LOGGED_OUT) == IDLE_BEFORE
    lane.do(BEGIN)
    assert lane.wait(15 * 60).state.session is SessionState.MAINTENANCE
    assert lane.then(END).phase is Phase.LOGGING_IN
    lane.do(lanes.login())
    assert lane.wait(HOUR).phase is Phase.READY, "it was granted once"


def test_a_lane_that_has_been_idle_long_enough_grants_it_at_once() -> None:
    lane = Night(local("2025-06-07 12:00"), "")
    lane.wait(HOUR)
    lane.do(SALE_ADMIN)
    assert lane.phase is Phase.LOGGING_OUT


def test_a_wish_waits_for_ten_minutes_without_a_customer() -> None:
    lane = Night(local("2025-06-07 12:00"))
    lane.do(SALE_ADMIN)
    for number in range(5):
        lane.wait(IDLE_BEFORE - 60)
        lane.do(ev.PaymentAsked(lanes.order(f"p{number}")))
        lane.do(lane.left(), lane.answered(poi_transaction=None))
    assert lane.until(Phase.LOGGED_OUT) == IDLE_BEFORE


def test_an_end_that_never_comes_is_waited_for_an_hour() -> None:
    lane = Night(local("2025-06-07 12:00"))
    lane.do(SALE_ADMIN)
    lane.until(Phase.LOGGED_OUT)
    assert lane.until(Phase.READY) == AT_LEAST


def test_an_end_within_the_window_is_waited_out() -> None:
    lane = Night(local("2025-06-07 03:00"))
    lane.until(Phase.LOGGED_OUT)
    lane.wait(600)
    lane.do(END)
    lane.until(Phase.READY)
    assert lane.clock == "04:30"


def test_an_end_after_the_window_ends_a_logout_that_is_not_an_hour_old() -> None:
    lane = Night(local("2025-06-07 04:20"))
    lane.until(Phase.LOGGED_OUT)
    lane.do(END)
    assert lane.until(Phase.READY) <= CLOCK_LOOK
    assert lane.clock == "04:30"


def test_a_maintenance_that_begins_by_itself() -> None:
    lane = Night(local("2025-06-07 12:00")).then(BEGIN)
    assert lane.until(Phase.LOGGED_OUT) == 0
    assert lane.state.session is SessionState.MAINTENANCE
    lane.do(END)
    assert lane.phase is Phase.LOGGING_IN


def test_a_terminal_that_is_away_for_maintenance_is_not_called() -> None:
    lane = lanes.unreachable().then(BEGIN)
    logins = len(lane.sent(m.LoginRequest))
    lane.wait(AT_LEAST - 1)
    assert (lane.phase, len(lane.sent(m.LoginRequest))) == (Phase.LOGGED_OUT, logins)
    lane.wait(1)
    assert lane.phase is Phase.LOGGING_IN


def test_times_that_do_not_add_up_to_the_last_digit_leave_nobody_waiting() -> None:
    """`idle_since` + 600 - `idle_since` is less than 600 for many a float; nothing else is due."""
    for number in range(200):
        lane = Night(local("2025-06-07 12:00"), "")
        lane.now = number * 0.1234567
        lane.do(ev.LoginAsked(), lanes.login(), SALE_ADMIN)
        assert lane.until(Phase.LOGGED_OUT) == pytest.approx(IDLE_BEFORE)
        assert lane.until(Phase.READY) == pytest.approx(AT_LEAST)


# -- By hand --------------------------------------------------------------------------------------


def test_a_logout_by_hand_lasts_until_a_login_by_hand() -> None:
    lane = lanes.logged_out()
    lane.do(END, BEGIN)
    lane.wait(100 * HOUR)
    assert (lane.phase, lane.state.session) == (Phase.LOGGED_OUT, SessionState.LOGGED_OUT)
    assert lane.then(ev.LoginAsked()).phase is Phase.LOGGING_IN


def test_one_for_maintenance_ends_by_itself() -> None:
    lane = lanes.in_maintenance()
    assert lane.state.session is SessionState.MAINTENANCE
    lane.wait(AT_LEAST)
    assert lane.phase is Phase.LOGGING_IN


# -- A Logout that does not go through ------------------------------------------------------------


def test_a_busy_terminal_is_asked_again_to_let_go() -> None:
    lane = Night(local("2025-06-07 03:00"))
    for _ in range(3):
        lane.do(lanes.logout("Busy"))
        assert lane.phase is Phase.LOGGING_OUT
        lane.wait(2)
    assert len(lane.sent(m.LogoutRequest)) == 4
    lane.do(lanes.logout())
    assert lane.phase is Phase.LOGGED_OUT


def test_one_that_stays_busy_keeps_its_session_and_is_asked_again_later() -> None:
    lane = Night(local("2025-06-07 03:00"))
    logins = len(lane.sent(m.LoginRequest))
    while lane.phase is Phase.LOGGING_OUT:
        lane.do(lanes.logout("Busy"))
        lane.wait(2)
    assert lane.state.session is SessionState.READY
    lane.until(Phase.LOGGED_OUT, longest=LOGOUT_AGAIN)
    assert len(lane.sent(m.LoginRequest)) == logins
    assert lane.sent(m.LogoutRequest)[-1].message.body == m.LogoutRequest(maintenance_allowed=True)


def test_a_logout_for_maintenance_that_nobody_answers_is_sent_again() -> None:
    lane = Night(local("2025-06-07 03:00"))
    lane.do(ev.LogoutEnded(None))
    lane.wait(2)
    assert len(lane.sent(m.LogoutRequest)) == 2
    while lane.phase is Phase.LOGGING_OUT:
        lane.do(ev.LogoutEnded(None))
        lane.wait(2)
    assert lane.phase is Phase.LOGGED_OUT, "it is away: it may do what it likes"


def test_the_orderly_stop_waits_for_no_silent_terminal_but_for_a_busy_one() -> None:
    silent = lanes.ready().then(ev.StopAsked()).then(ev.LogoutEnded(None))
    assert silent.phase is Phase.STOPPED
    busy = lanes.ready().then(ev.StopAsked()).then(lanes.logout("Busy"))
    busy.wait(2)
    assert [send.message.body for send in busy.sent(m.LogoutRequest)] == [m.LogoutRequest()] * 2
    assert busy.then(lanes.logout()).phase is Phase.STOPPED


def test_another_window_takes_effect_at_once() -> None:
    lane = Night(local("2025-06-07 12:00"))
    config = replace(
        lane.config, maintenance=replace(lane.config.maintenance, window="12:30-14:00")
    )
    lane.do(ev.ConfigChanged(config))
    lane.until(Phase.LOGGED_OUT)
    assert lane.clock == "12:30"


def test_the_wall_clock_is_looked_at_every_ten_minutes_and_not_more_often() -> None:
    lane, woken = Night(local("2025-06-07 06:00")), 0
    while lane.now < 12 * HOUR:
        assert lane.state.wake_at is not None
        lane.now = lane.state.wake_at
        step = handle(lane.state, ev.TimePassed(), lane.moment())
        lane.state, woken = step.state, woken + 1
        assert step.effects == ()
    assert woken <= 12 * HOUR / CLOCK_LOOK + 1


# -- Words that cross each other ----------------------------------------------------------------


def test_an_end_that_overtakes_the_logouts_answer_counts() -> None:
    lane = lanes.ready(WITHOUT_WINDOW).then(ev.TerminalNotified(event="BeginMaintenance"))
    lane.do(ev.TerminalNotified(event="EndMaintenance"))
    lane.do(lanes.logout())
    lane.wait(60.0)
    assert lane.phase is Phase.LOGGING_IN, "the terminal has said that it is done"


def test_a_maintenance_that_begins_while_a_customer_confirms_is_not_forgotten() -> None:
    lane = lanes.pending(WITHOUT_WINDOW).then(ev.TerminalNotified(event="BeginMaintenance"))
    lane.do(ev.AbortAsked("a"))
    lane.wait(1.0)
    assert lane.phase in (Phase.LOGGING_OUT, Phase.LOGGED_OUT), "the terminal is in maintenance"


def test_by_hand_for_maintenance_tells_the_terminal_so() -> None:
    """Logged out by hand it may not maintain itself; the wish has to reach it."""
    lane = lanes.logged_out().then(ev.LogoutAsked(maintenance=True))
    bodies = [send.message.body for send in lane.sent(m.LogoutRequest)]
    allowed = [body.maintenance_allowed for body in bodies if isinstance(body, m.LogoutRequest)]
    claimed = lane.state.session == "maintenance"
    assert not claimed or True in allowed
