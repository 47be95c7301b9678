"""What the demonstration says in plain words about events, screens and the simulated terminal."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from laned.simulator import State, Transaction
from laned.views.screen import Screen

Who = Literal["till", "button", "laned", "terminal"]

_ASKED: Final[Mapping[str, str]] = {
    "Login": "logs in to the terminal",
    "Logout": "logs out of the terminal",
    "Payment": "asks the terminal for the payment",
    "Abort": "asks the terminal to abort",
    "TransactionStatus": "asks the terminal what became of the payment",
    "Reversal": "asks the terminal to take the payment back",
}
_NOTIFIED: Final[Mapping[str, str]] = {
    "CardInserted": "a card is put in",
    "CardRemoved": "the card is taken out",
    "SaleAdmin": "asks for maintenance",
}
_BOOKED: Final[Mapping[State, str]] = {
    State.CHARGED: "{amount} charged",
    State.DECLINED: "declined, nothing charged",
    State.CANCELLED: "stopped by the customer, nothing charged",
    State.ABORTED: "aborted, nothing charged",
    State.REVERSED: "{amount} taken back",
}


def of_terminal(line: str) -> tuple[Who, str] | None:
    """A line of the simulated terminal, and who does what it says; None: of no interest."""
    kind, _, rest = line.partition(": ")
    match kind:
        case "till":  # what the terminal calls so is laned
            category = rest.partition(" ")[0]
            if category == "TransactionStatus" and " about " not in rest:
                return "laned", "asks the terminal what it did last"
            return "laned", _ASKED.get(category, f"sends {category}")
        case "display":
            return "terminal", f'shows "{rest}"'
        case "event":
            return "terminal", _NOTIFIED.get(rest, f"tells of {rest}")
    match line.split():
        case ["refused", category, *_]:
            return "terminal", f"refuses {category}: {rest}"
        case ["answered", category, *_]:
            return "terminal", f"answers the {category}Request"
        case ["cut", "off", *_, category, _]:
            return "terminal", f"is cut off before it can answer the {category}Request"
        case ["power", "off"]:
            return "terminal", "restarts"
        case ["power", "on"]:
            return "terminal", "has started"
        case ["abort", *_]:
            return "terminal", "is too late to abort" if rest else "aborts"
        case ["logged", "out,", *_]:
            return "terminal", "has ended the session"
        case ["Normal" | "Refund", *_]:
            return None  # the books say it better
        case _:
            return "terminal", line


def of_books(entry: Transaction) -> str | None:
    """What the terminal's books say of a transaction; None while it runs."""
    told = _BOOKED.get(entry.state)
    amount = f"{entry.amount + entry.tip} {entry.currency}"
    return told and f"writes into its books: {told.format(amount=amount)}"


def of_event(name: str, data: Any) -> str | None:
    """What the till hears; None: not worth telling."""
    tell = _HEARD.get(name)
    return tell(data) if tell else None


def _lane(data: Any) -> str:
    return f"laned {data['version']}, session {data['session']['state']}"


def _session(data: Any) -> str:
    return f"session {data['state']} {data['reason']}".rstrip()


def _payment(data: Any) -> str:
    return f"payment {data['id']} {data['state']}{of_outcome(data)}"


def of_outcome(payment: Any) -> str:
    """What there is to say beside a payment's state, with a colon before it; or nothing."""
    aside = ", set aside" if payment["set_aside_at"] and payment["state"] == "unknown" else ""
    if payment["error"]:
        error = payment["error"]
        return f"{aside}: {error['condition']}, {error['message']}".rstrip(", ")
    if payment["card"] and payment["state"] == "approved":
        return f": {of_card(payment['card'])}"
    return aside


def of_card(card: Any) -> str:
    """The card of a payment."""
    return f"{card['brand']} {card['masked_pan']}"


def _display(data: Any) -> str:
    return f'display "{" / ".join(data["lines"])}"'


def _prompt(data: Any) -> str:
    question = " ".join(data["text"].split())
    if "by" not in data:
        return f'question "{question}"'
    answer = {True: "yes", False: "no", None: "withdrawn"}[data["answer"]]
    return f"answer {answer}, by {data['by']}"


def _print(data: Any) -> str:
    return f"{data['document']}'s receipt to print"


def _card(data: Any) -> str:
    return f"card {data['action']}"


def _button(data: Any) -> str | None:
    return f"button {data['name']}" if data["action"] == "pressed" else None


def _hardware(data: Any) -> str:
    return f"hardware: display {data['display']}, buttons {data['buttons']}"


_HEARD: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "lane": _lane,
    "session": _session,
    "payment": _payment,
    "display": _display,
    "prompt": _prompt,
    "print": _print,
    "card": _card,
    "button": _button,
    "hardware": _hardware,
}


def of_screen(screen: Screen) -> str:
    """What the lane's display shows."""
    parts = [f'"{" / ".join(screen.lines)}"', screen.amount]
    parts += [f"[x {screen.abort}]"] if screen.abort else []
    parts += [f"[v {screen.confirm}]"] if screen.confirm else []
    return "  ".join(part for part in parts if part)
