"""The lane in one line for whoever looks after the box: no card, no receipt, no display text."""

from laned.lane.state import LaneState, Phase

MAX_REASON = 60
"""Characters; some reasons are the terminal's own words."""


def summary(state: LaneState) -> str:
    """One line such as `ready, no payment`, `payment 4711 processing` or `offline: unreachable`."""
    parts = [_payment(state) or _session(state)]
    if state.journal != "ok" and state.phase is not Phase.BROKEN:
        parts.append(f"journal {state.journal}")
    hardware = state.hardware
    for part, health in (("display", hardware.display), ("buttons", hardware.buttons)):
        if health == "failing":
            parts.append(f"{part} failing")
    return ", ".join(parts)


def _payment(state: LaneState) -> str:
    payment = state.payment
    if payment is None or state.phase is Phase.STOPPED:
        return ""
    if payment.reversal is not None:
        return f"reversal of payment {payment.id} {payment.reversal.state}"
    line = f"{payment.type} {payment.id} {payment.state}"
    if state.prompt is not None:
        awaited = "signature" if state.prompt.kind == "signature" else "confirmation"
        line += f", waits for {awaited}"
    return line


def _session(state: LaneState) -> str:
    match state.phase:
        case Phase.READY:
            return "ready, no payment"
        case Phase.LOGGING_OUT:
            return "stopping" if state.stopping else "logging out"
        case Phase.STOPPED:
            return "stopped"
        case Phase.BROKEN:
            return f"out of service: journal {state.journal}"
        case _:
            name = state.session.replace("_", " ")
            # One line, whatever the terminal said: a second one would be a word of ours to systemd.
            reason = " ".join(state.why.split())[:MAX_REASON]
            return f"{name}: {reason}" if reason and reason != name else name
