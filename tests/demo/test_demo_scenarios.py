"""`laned demo --scenario`, as a person starts it: the real thing, fast."""

import os
import subprocess
import sys
from functools import partial

import pytest

from laned.demo.plays import PLAYS

SPEED = "50"
PATIENCE = 30.0
Runs = dict[str, tuple[int, str, str]]
PHRASES = {
    "happy": [
        'shows "Present card"',
        '"Enter PIN: ****"  38.00 SEK  [x Cancel]',
        "writes into its books: 38.00 SEK charged",
        "hears: payment demo-1 approved: Mastercard Debit",
        "│ KÖP:           38,00 SEK",
        "As it should be: 38.00 SEK were charged exactly once",
    ],
    "signature-approved": [
        '"Signature approved?"  38.00 SEK  [x Decline]  [v Approve]',
        "button    confirm is pressed",
        "hears: answer yes, by button",
        "and only after the button",
    ],
    "signature-declined": [
        "button    abort is pressed",
        "hears: answer no, by button",
        "hears: payment demo-1 declined: Refusal, Signature not",
    ],
    "declined": ["hears: payment demo-1 declined: Refusal", "declined, nothing charged"],
    "aborted": [
        "button    abort is pressed",
        "laned     asks the terminal to abort",
        "hears: payment demo-1 aborted: Aborted",
    ],
    "customer-cancel": ["hears: payment demo-1 aborted: Cancel", "stopped by the customer"],
    "busy": [
        "refuses Payment: Busy",
        "hears: payment demo-1 approved: Mastercard Debit",
        "and the till has only seen",
    ],
    "lost-response": [
        "is cut off before it can answer the PaymentRequest",
        "asks the terminal what became of the payment",
        "hears: payment demo-1 approved: Mastercard Debit",
        "exactly once, although the answer was",
    ],
    "reboot": [
        "terminal  restarts",
        "hears: payment demo-1 unknown",
        '"Checking last payment"  38.00 SEK',
        "refuses TransactionStatus: NotAllowed",
        "hears: payment demo-1 approved: Mastercard Debit",
        "exactly once, although the terminal",
    ],
    "reboot-forgets": [
        "terminal  restarts",
        "refuses TransactionStatus: NotFound",
        "hears: payment demo-1 unknown, set aside: NotFound",
        "hears: session ready",
        "demo-1, 38.00 SEK: unknown, set aside: NotFound",
        "exactly once, and the till was told",
    ],
    "maintenance": [
        "terminal  asks for maintenance",
        "laned     logs out of the terminal",
        "terminal  begins its maintenance",
        "hears: session maintenance",
        "terminal  restarts",
        "terminal  has ended its maintenance",
        "hears: payment demo-1 approved: Mastercard Debit",
        "the terminal had its update",
    ],
    "light": [
        '"Follow the card terminal"  38.00 SEK  [x Cancel]',
        "hears: payment demo-1 approved: Mastercard Debit",
        "As it should be: 38.00 SEK were charged exactly once",
    ],
    "light-signature-declined": [
        "hears: merchant's receipt to print",
        '"Signature OK?"  38.00 SEK  [x Decline]  [v Approve]',
        "hears: answer no, by button",
        "laned     asks the terminal to take the payment back",
        "writes into its books: 38.00 SEK taken back",
        "hears: payment demo-1 declined",
    ],
    "power-cut": [
        "terminal  restarts",
        "laned     loses its power, as the terminal does",
        "laned     has started",
        "refuses TransactionStatus: NotAllowed",
        "refuses TransactionStatus: NotFound",
        "demo-1, 38.00 SEK: unknown, set aside: NotFound",
        "asks laned for 38.00 SEK: PUT /v1/payments/demo-2",
        "hears: payment demo-2 approved: Mastercard Debit",
        "As it should be: 38.00 SEK were charged exactly once, the next customer's",
    ],
}
AT_A_TIME = 4  # processes
UNKNOWN = {"reboot", "reboot-forgets", "power-cut"}
"""Here laned may warn that the outcome is not known, if it asks before the terminal is back."""


def start(*arguments: str, **environ: str) -> subprocess.Popen[bytes]:
    return run("-m", "laned", "demo", "--speed", SPEED, *arguments, **environ)


def run(*arguments: str, **environ: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "80"} | environ,
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture(scope="module")
def runs() -> Runs:
    """All of them, some side by side: each mostly waits, but at its start."""
    ways = {name: partial(start, "--scenario", name) for name in PLAYS}
    ways["ascii"] = partial(start, PYTHONIOENCODING="ascii", COLUMNS="90")
    ways["narrow"] = partial(start, "--scenario", "declined", COLUMNS="30")
    found: Runs = {}
    waiting = list(ways)
    while waiting:
        names, waiting = waiting[:AT_A_TIME], waiting[AT_A_TIME:]
        processes = {name: ways[name]() for name in names}
        found |= {name: finish(process) for name, process in processes.items()}
    return found


@pytest.mark.parametrize("name", PHRASES)
def test_each_scenario_ends_as_it_should(runs: Runs, name: str) -> None:
    status, out, err = runs[name]
    warnings = err.splitlines()
    assert status == 0, err
    assert not warnings or name in UNKNOWN, err
    for warning in warnings:
        assert warning.startswith("laned: WARNING:laned.lane:payment demo-1 38.00 SEK unknown")
    assert [phrase for phrase in PHRASES[name] if phrase not in out] == []
    assert "\x1b" not in out
    # The picture stands whole in its frame, in braille.
    frame = [line for line in out.splitlines() if line.startswith("        │")]
    assert len(frame) % 16 == 0
    assert len(frame) >= 16 * (2 if name == "light" else 3)
    assert {len(line) for line in frame} == {8 + 1 + 64 + 1}
    assert any("⣿" in line for line in frame)


def test_all_that_the_display_shows_is_told(runs: Runs) -> None:
    _, out, _ = runs["happy"]
    shown = [line[19:] for line in out.splitlines() if line[9:16] == "display"]
    texts = [text.split('"')[1] for text in shown]
    story = ["Present card", "Enter PIN", "Enter PIN: ****", "Authorizing", "Approved"]
    assert [text for text in dict.fromkeys(texts) if text in story] == story


def test_without_a_window_the_happy_story_is_told_and_ascii_does(
    runs: Runs,
) -> None:
    status, out, err = runs["ascii"]
    assert (status, err) == (0, "")
    assert out.startswith("laned demo: happy")
    assert out.isascii()
    assert "        +" + "-" * 64 + "+" in out


def test_a_narrow_window_gets_words_only(runs: Runs) -> None:
    status, out, err = runs["narrow"]
    assert (status, err) == (0, "")
    assert "┌" not in out
    assert max(map(len, out.split("The customer's receipt", maxsplit=1)[0].splitlines())) <= 40


def test_a_reader_who_goes_away_ends_it_quietly() -> None:
    process = start("--scenario", "happy")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(PATIENCE) == 1


OTHERWISE = """
import sys
from msgspec.structs import replace
from laned.demo import demo, scenario

name, changes = sys.argv[1], dict(pair.split("=") for pair in sys.argv[2:])
scenario.LEAST_PATIENCE = float(changes.pop("patience", 10))
scenario.PLAYS = {name: replace(scenario.PLAYS[name], **changes)}
sys.exit(demo(name, 50.0))
"""


def test_a_play_that_ends_otherwise_fails_and_says_why() -> None:
    status, out, err = finish(run("-c", OTHERWISE, "customer-cancel", "ends=approved"))
    assert status == 1
    assert "Not as it should be: the payment's state is aborted, it should be approved" in out
    assert err.startswith("laned: customer-cancel ended otherwise: the payment's state is aborted")
    assert err.count("\n") == 1


def test_a_play_that_does_not_end_fails_and_says_so() -> None:
    nobody = ("signature-approved", "press=", "cue=", "patience=1.2")
    status, out, err = finish(run("-c", OTHERWISE, *nobody))
    assert (status, err) == (1, "laned: signature-approved did not end within 1.2 s\n")
    assert "As it should be" not in out
