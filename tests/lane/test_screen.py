"""What is shown: laned's own words or the terminal's, the amount, the buttons."""

from collections.abc import Callable
from typing import get_args

import lanes
import pytest
from lanes import Lane, configuration, replace

from laned import __version__
from laned.lane import events as ev
from laned.lane.state import SessionState
from laned.nexo import messages as m
from laned.views import lane as views
from laned.views.screen import Icon, Screen, farewell, screen
from laned.views.texts import TEXTS, Language, Text

LANGUAGES = get_args(Language)
LETTERS = set("abcdefghijklmnopqrstuvwxyzåäöæø ?")


def english(**payment: str) -> lanes.Config:
    config = configuration(**payment)
    return replace(config, display=replace(config.display, language="en"))


def shown(lane: Lane) -> tuple[tuple[str, ...], str]:
    display = views.display(lane.state)
    return display.lines, display.source


# -- Words ----------------------------------------------------------------------------------------


def test_every_text_is_there_in_every_language() -> None:
    assert set(TEXTS) == set(LANGUAGES) == {"en", "sv", "no", "da", "fi"}
    for texts in TEXTS.values():
        assert set(texts) == set(get_args(Text))
        assert all(text.strip() == text and text for text in texts.values())
        assert set("".join(texts.values()).lower()) <= LETTERS


@pytest.mark.parametrize("text", ["checking", "out_of_service", "offline", "maintenance"])
def test_the_languages_are_not_copies_of_each_other(text: Text) -> None:
    assert len({TEXTS[language][text] for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_display_speaks_its_own_language_or_the_lanes(language: Language) -> None:
    config = configuration()
    of_display = replace(config, display=replace(config.display, language=language))
    assert screen(Lane(of_display).state).lines == (TEXTS[language]["please_wait"],)
    if language != "en":
        of_lane = replace(config, lane=replace(config.lane, language=language))
        assert screen(Lane(of_lane).state).lines == (TEXTS[language]["please_wait"],)


# -- Whose text, in each phase --------------------------------------------------------------------


def unreachable(config: lanes.Config) -> Lane:
    lane = lanes.logging_in(config)
    lane.do(ev.LoginFailed("no answer"))
    return lane


def refund_pending(config: lanes.Config) -> Lane:
    lane = lanes.ready(config)
    lane.do(ev.PaymentAsked(lanes.order(confirm="button", type="refund")))
    return lane


def after_a_restart(config: lanes.Config) -> Lane:
    return lanes.restarted(lanes.paying(config))


WAIT, OFF, WARN, NONE = Icon.WAIT, Icon.OFFLINE, Icon.WARNING, Icon.NONE
# how the lane is made; its own words, whether they hide the terminal's; the icon
OWN: list[tuple[Callable[[lanes.Config], Lane], str, bool, Icon]] = [
    (lanes.offline, "Please wait", True, WAIT),
    (unreachable, "Card terminal offline", True, OFF),
    (lanes.logging_in, "Please wait", True, WAIT),
    (lanes.ready, "Welcome", False, NONE),
    (lanes.logging_out, "Closed", True, OFF),
    (lanes.logged_out, "Closed", True, OFF),
    (lanes.in_maintenance, "Maintenance", True, WAIT),
    (lanes.stopped, "Out of service", True, WARN),
    (lanes.stopped_paying, "Out of service", True, WARN),
    (lanes.pending, "Pay?", True, NONE),
    (refund_pending, "Refund?", True, NONE),
    (lanes.paying, "Please wait", False, WAIT),
    (lanes.retrying, "Please wait", True, WAIT),
    (lanes.asking_for_session, "Please wait", True, WAIT),
    (lanes.doubt, "Checking last payment", False, WARN),
    (lanes.unknown, "Checking last payment", True, WARN),
    (after_a_restart, "Checking last payment", False, WARN),
    (lanes.relogin_between, "Please wait", True, WAIT),
]


@pytest.mark.parametrize(("make", "words", "wins", "icon"), OWN)
def test_whose_text_is_shown(
    make: Callable[[lanes.Config], Lane], words: str, wins: bool, icon: Icon
) -> None:
    lane = make(english())
    assert shown(lane) == ((words,), "lane")
    assert screen(lane.state).icon is icon
    lane.do(lanes.shows("Insert card\nor hold it here", 9202))
    if wins:
        assert shown(lane) == ((words,), "lane")
    else:
        assert shown(lane) == (("Insert card", "or hold it here"), "terminal")
        assert views.display(lane.state).code == 9202


def test_laned_speaks_itself_while_it_makes_a_session_for_an_attempt_in_doubt() -> None:
    lane = lanes.relogin(english())
    assert shown(lane) == (("Checking last payment",), "lane")
    lane.do(lanes.shows("Welcome"))
    assert shown(lane)[1] == "lane"


def test_the_terminals_text_comes_without_its_code_and_with_all_its_lines() -> None:
    lane = lanes.ready(english())
    lane.do(ev.DisplayShown((m.OutputText("One"), m.OutputText("", 7), m.OutputText("Two", 8))))
    display = views.display(lane.state)
    assert (display.lines, display.code, display.source) == (("One", "", "Two"), 7, "terminal")


def test_a_text_and_a_sign_of_ones_own_stand_in_for_a_text_id_on_the_display_only() -> None:
    config = english()
    display = replace(config.display, texts={9202: "Tack!\nTa kortet"}, icons={9202: "check"})
    lane = lanes.paying(replace(config, display=display))
    lane.do(lanes.shows("Approved", 9202))
    assert screen(lane.state).lines == ("Tack!", "Ta kortet")
    assert screen(lane.state).icon is Icon.CHECK
    assert shown(lane) == (("Approved",), "terminal")
    lane.do(lanes.shows("Declined", 9203))
    assert screen(lane.state).lines == ("Declined",)
    assert screen(lane.state).icon is Icon.CARD
    # laned's own words and a question to a person are not the terminal's text.
    lane.do(lanes.shows("Approved", 9202), ev.StopAsked())
    assert screen(lane.state).lines == ("Out of service",)
    assert screen(lane.state).icon is Icon.WARNING


def test_the_confirm_button_of_a_refund_does_not_say_pay() -> None:
    assert screen(refund_pending(english()).state).confirm == "OK"
    assert screen(lanes.pending(english()).state).confirm == "Pay"


@pytest.mark.parametrize("make", [lanes.paying, lanes.unknown, lanes.relogin])
def test_an_open_signature_prompt_is_shown_with_the_terminals_words(make: lanes.Make) -> None:
    lane = make(english(signature="button"))
    lane.do(lanes.asks("k1", "Signature\nOK?"))
    assert screen(lane.state) == Screen(
        lines=("Signature", "OK?"),
        amount="100.00 SEK",
        confirm="Approve",
        abort="Decline",
        icon=Icon.SIGNATURE,
    )


def test_a_prompt_without_words_leaves_what_the_terminal_shows() -> None:
    lane = lanes.paying(english(signature="till"))
    lane.do(lanes.shows("Check the signature"), lanes.asks("k1", ""))
    assert shown(lane) == (("Check the signature",), "terminal")


def test_a_new_session_forgets_what_the_terminal_showed_before() -> None:
    lane = lanes.ready(english())
    lane.do(lanes.shows("Approved"), ev.LoginAsked(), lanes.login())
    assert shown(lane) == (("Welcome",), "lane")


def test_an_open_card_icon_while_the_terminal_speaks_of_the_payment() -> None:
    lane = lanes.paying(english())
    lane.do(lanes.shows())
    assert screen(lane.state).icon is Icon.CARD


# -- Amount and buttons ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "kind", "expected"),
    [
        ("en", "payment", "1234.50 SEK"),
        ("sv", "payment", "1234,50 SEK"),
        ("fi", "refund", "-1234,50 SEK"),
    ],
)
def test_the_amount_is_shown_while_a_payment_is_active(
    language: str, kind: str, expected: str
) -> None:
    config = configuration()
    config = replace(config, display=replace(config.display, language=language))
    lane = lanes.ready(config)
    assert screen(lane.state).amount == ""
    lane.do(ev.PaymentAsked(lanes.order(amount="1234.50", type=kind)))
    assert screen(lane.state).amount == expected
    lane.do(lane.answered())
    assert screen(lane.state).amount == ""


@pytest.mark.parametrize(
    ("make", "confirm", "abort"),
    [
        (lanes.ready, "", ""),
        (lanes.pending, "Pay", "Cancel"),
        (lanes.paying, "", "Cancel"),
        (lanes.retrying, "", "Cancel"),
        (lanes.unknown, "", ""),
    ],
)
def test_the_buttons_are_labelled_with_what_they_do(
    make: lanes.Make, confirm: str, abort: str
) -> None:
    made = screen(make(english()).state)
    assert (made.confirm, made.abort) == (confirm, abort)


def test_the_screen_that_stays() -> None:
    goodbye = farewell(lanes.ready(english()).state)
    assert goodbye == Screen(lines=("Out of service",), icon=Icon.WARNING)


# -- GET /v1/lane ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "session"),
    [
        (lanes.offline, "offline"),
        (lanes.logging_in, "logging_in"),
        (lanes.ready, "ready"),
        (lanes.pending, "ready"),
        (lanes.paying, "busy"),
        (lanes.retrying, "busy"),
        (lanes.doubt, "busy"),
        (lanes.unknown, "offline"),
        (lanes.relogin_between, "busy"),
        (lanes.logged_out, "logged_out"),
        (lanes.in_maintenance, "maintenance"),
        (lanes.stopped, "offline"),
    ],
)
def test_the_session_as_the_till_sees_it(make: lanes.Make, session: str) -> None:
    lane = make(english())
    assert lane.state.session is SessionState(session)


def test_since_is_when_the_sessions_state_changed() -> None:
    lane = lanes.ready()
    since = views.session(lane.state).since
    lane.wait(100.0)
    lane.do(lanes.shows())
    assert views.session(lane.state).since == since
    lane.do(ev.PaymentAsked(lanes.order()))
    assert views.session(lane.state).since == lane.moment().wall


def test_the_whole_lane() -> None:
    lane = lanes.pending(english())
    lane.do(ev.HardwareReported("display", "failing"))
    seen = views.lane(lane.state)
    assert (seen.name, seen.version, seen.mode) == ("lane1", __version__, "default")
    assert (seen.payment, seen.journal) == ("a", "ok")
    assert (seen.hardware.display, seen.hardware.buttons) == ("failing", "starting")
    assert seen.session.terminal.address == "192.0.2.15:11000"
    assert (seen.session.terminal.serial_number, seen.session.terminal.software) == (
        lanes.SERIAL,
        "1",
    )
    assert seen.prompt is not None
    assert (seen.prompt.kind, seen.prompt.text) == ("payment", "100.00 SEK")
    lane.do(ev.ButtonPressed("abort"))
    after = views.lane(lane.state)
    assert (after.prompt, after.payment) == (None, None)
