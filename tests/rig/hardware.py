"""Checks of a lane with real lines and a real bus: buttons, LEDs, picture, a panel that goes."""

from functools import partial
from typing import Final

from rig.checks import Checks, equal
from rig.lane import FINAL, Lane, Terminal, reply
from rig.limits import check_limits
from rig.panel import PINS, Buttons, Panel

WHOLE: Final = 1024
"""Bytes of pixels of a whole frame."""
SPEED: Final = 0.6
"""The customer is slow, and so is the machine."""


def check(checks: Checks, lane: Lane) -> None:
    """Run all checks of the machine."""
    machine = lane.machine
    terminal = Terminal(machine, "happy", speed=SPEED)
    panel, buttons = Panel(machine), Buttons(machine)
    with checks.check("started at boot: panel and buttons are ok, and payments can be made"):
        lane.ready()
        machine.until(lambda: _hardware(lane) == {"display": "ok", "buttons": "ok"}, "the hardware")
    with checks.check("idle: the panel shows the picture of /v1/display.png, no LED is lit"):
        machine.until(lambda: panel.matches(lane), "the same picture")
        equal(buttons.lit(), set(), "lit LEDs")
    check_abort(checks, lane, terminal, panel, buttons)
    check_stars(checks, lane, terminal, panel)
    check_unplugged(checks, lane, terminal, panel)
    terminal.end()
    terminal = Terminal(machine, "signature-approved", speed=SPEED)
    check_signature(checks, lane, terminal, panel, buttons)
    check_command(checks, lane, panel, buttons)
    check_limits(checks, lane)


def _hardware(lane: Lane) -> object:
    return lane.ask("GET", "/v1/lane").body["hardware"]


def _begin(lane: Lane, terminal: Terminal, number: str, shown: str) -> None:
    """Begin a payment, and wait until the terminal has come so far."""
    lane.ready()
    before = terminal.count(shown)
    answer = reply(lane.put(number))
    equal(answer.status, 201, f"the answer to PUT ({answer.content.decode()})")
    terminal.until(shown, before)


def _over(lane: Lane, number: str) -> str:
    """Wait for a payment's end; its state."""

    def state() -> str:
        found = str(lane.payment(number)["state"])
        return found if found in FINAL else ""

    return str(lane.machine.until(state, f"the end of {number}"))


def check_abort(
    checks: Checks, lane: Lane, terminal: Terminal, panel: Panel, buttons: Buttons
) -> None:
    """Check that a pulled line aborts a payment, and that only its LED was lit."""
    machine = lane.machine
    with checks.check("a payment runs: only the abort button's LED is lit, the pictures agree"):
        _begin(lane, terminal, "abort", "display: Present card")
        machine.until(lambda: buttons.lit() == {"abort"}, "the abort button's LED alone")
        machine.until(lambda: panel.matches(lane), "the same picture")
        equal(lane.payment("abort")["state"], "processing", "the payment")
    with checks.check("a pulled line aborts the payment, and its LED goes out"):
        pulled = buttons.down("abort")
        try:
            asked = terminal.until("till: Abort")
        finally:
            buttons.up("abort")
        equal(_over(lane, "abort"), "aborted", "the payment")
        equal(terminal.charges(), 0, "charges")
        machine.until(lambda: buttons.lit() == set(), "no LED")
        took = (asked - pulled) * 1000
        checks.note(f"line pulled -> AbortRequest at the terminal: {took:.0f} ms, of it 5 settling")


def check_stars(checks: Checks, lane: Lane, terminal: Terminal, panel: Panel) -> None:
    """Measure what the stars of a PIN cost on the bus."""
    with checks.check("a star of the PIN costs less than a tenth of a frame on the bus"):
        _begin(lane, terminal, "stars", "display: Enter PIN: ****")
        terminal.until("display: ", terminal.count("display: "))  # what comes after the last star
        stars = [at for at, line in terminal.said() if "display: Enter PIN: *" in line]
        after = min(at for at, line in terminal.said() if "display: " in line and at > stars[-1])
        sent = [(at, message) for at, message in panel.messages() if stars[0] <= at < after]
        spans = list(zip(stars, [*stars[1:], after], strict=True))
        sizes = [
            sum(len(message) for at, message in sent if begin <= at < end) for begin, end in spans
        ]
        lasts = [max((at for at, _ in sent if at < end), default=0) - begin for begin, end in spans]
        checks.note(f"bytes on the bus for each star: {sizes}; a frame has {WHOLE}")
        checks.note(f"told -> last byte on the bus: {sorted(lasts)[len(lasts) // 2] * 1000:.0f} ms")
        equal(_over(lane, "stars"), "approved", "the payment")
        equal(terminal.charges(), 1, "charges")
        usual = sorted(sizes)[len(sizes) // 2]
        assert 0 < usual < WHOLE / 10, f"{usual} bytes for a star"


def check_unplugged(checks: Checks, lane: Lane, terminal: Terminal, panel: Panel) -> None:
    """Check that the lane lives without its panel, and that the panel comes back."""
    machine = lane.machine
    with checks.check("the panel is pulled off: payments go on, and hardware says so"):
        panel.plug(present=False)
        _begin(lane, terminal, "blind", "display: Present card")
        machine.until(lambda: _hardware(lane) == {"display": "failing", "buttons": "ok"}, "failing")
        equal(_over(lane, "blind"), "approved", "the payment")
    with checks.check("the panel is back: set up again, a whole frame, the same picture"):
        before = len(panel.messages())
        panel.plug(present=True)
        machine.until(lambda: _hardware(lane) == {"display": "ok", "buttons": "ok"}, "the panel")
        machine.until(lambda: panel.matches(lane), "the same picture")
        again = [message for _, message in panel.messages()[before:]]
        assert any(b"\xaf" in message for message in again if message[0] == 0), "not switched on"
        pixels = sum(len(message) - 1 for message in again if message[0] == 0x40)
        assert pixels >= WHOLE, f"only {pixels} bytes of pixels"


def check_signature(
    checks: Checks, lane: Lane, terminal: Terminal, panel: Panel, buttons: Buttons
) -> None:
    """Check that the attendant's line approves a signature, and the customer's does not."""
    machine = lane.machine

    def prompt() -> object:
        return lane.ask("GET", "/v1/lane").body["prompt"]

    with checks.check("a signature is asked for: the LEDs of approve and abort are lit"):
        _begin(lane, terminal, "signature", "display: Present card")
        machine.until(prompt, "the prompt", 60)
        machine.until(lambda: buttons.lit() == {"approve", "abort"}, "the LEDs")
        machine.until(lambda: panel.matches(lane), "the same picture")
    with checks.check("the customer's button does not answer, the attendant's approves"):
        buttons.down("confirm")
        machine.sh("sleep 1")
        buttons.up("confirm")
        assert prompt() is not None, "the customer's button answered"
        buttons.down("approve")
        machine.until(lambda: prompt() is None, "the prompt's end")
        buttons.up("approve")
        equal(_over(lane, "signature"), "approved", "the payment")
        equal(lane.payment("signature")["signature"], "approved", "the signature")
        equal(terminal.count("signature approved"), 1, "approvals at the terminal")
        machine.until(lambda: buttons.lit() == set(), "no LED")


def check_command(checks: Checks, lane: Lane, panel: Panel, buttons: Buttons) -> None:
    """Check what an administrator is told by `laned check`, with the daemon stopped."""
    machine = lane.machine
    units = f"{lane.socket_unit} {lane.service}"

    def only(name: str) -> bool:
        return buttons.lit() == {name}

    machine.sh(f"systemctl stop {units}")
    with checks.check("laned check --press: everything is found, each button by its own LED"):
        command = machine.later("run", argv=["laned", "check", "--press"], timeout=200)
        for name in PINS:
            machine.until(partial(only, name), f"the LED of {name}")
            buttons.down(name)
            machine.sh("sleep 0.3")
            buttons.up(name)
        done = command.result(200)
        equal(done["code"], 0, f"the exit status ({done['out']} {done['err']})")
        for name in PINS:
            assert f"{name}: was pressed" in done["out"], done["out"]
    with checks.check("laned check without the panel: it is broken, and why"):
        panel.plug(present=False)
        done = machine.call("run", argv=["laned", "check"], timeout=200)
        equal(done["code"], 1, f"the exit status ({done['out']} {done['err']})")
        assert "nothing answers on bus" in done["out"], done["out"]
        panel.plug(present=True)
    machine.sh(f"systemctl start {units}")
