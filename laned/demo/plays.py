"""What a scenario is about, what it should come to, and whether it did."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Literal

from msgspec import Struct

from laned.simulator import State, Transaction

AMOUNT: Final = "38.00"
CURRENCY: Final = "SEK"


class Play(Struct, frozen=True, kw_only=True):
    """One scenario: told in `about`, ended as `ends` says, with `proves` as its moral.

    `press` names the button that is pressed once the `cue` has come: the question after the
    signature, or the terminal asking for the card.
    """

    name: str
    about: str
    ends: str
    proves: str
    press: Literal["", "confirm", "abort"] = ""
    cue: Literal["", "signature", "card"] = ""
    signature: Literal["approved", "declined"] | None = None
    mode: Literal["default", "light"] = "default"
    """The lane's integration form."""
    maintained: bool = False
    """The terminal's maintenance comes before the payment."""
    tries_again: bool = False
    """The payment takes more than one attempt."""
    taken_back: bool = False
    """What was charged is reversed."""
    forgotten: bool = False
    """What was charged is in the bank's books only: the terminal knows nothing of it any more."""
    power_cut: bool = False
    """laned loses its power when the terminal does, and afterwards the next customer pays."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What is known when a play is over.

    `payment` is the till's, as it was told; `kept` the same from laned's journal; `books` and
    `violations` are the terminal's, which was maintained so many times.
    """

    payment: dict[str, Any]
    kept: dict[str, Any]
    books: tuple[Transaction, ...]
    violations: tuple[str, ...]
    maintenances: int
    set_aside: tuple[str, ...] = ()
    """What the lane lists as such, once it is ready for the next customer."""
    next: dict[str, Any] | None = None
    """The next customer's payment, where one comes."""
    shut_for: float = 0.0
    """Seconds from the terminal's first session after a power cut to the next PaymentRequest."""


SHUT_AT_MOST: Final = 15.0  # seconds
_AGREED: Final = "till, journal and terminal agree"

PLAYS: Final[Mapping[str, Play]] = MappingProxyType(
    {
        play.name: play
        for play in (
            Play(
                name="happy",
                about="A customer buys something, holds a card to the terminal and types the PIN."
                " The bank says yes.",
                ends="approved",
                proves=f"{AMOUNT} {CURRENCY} were charged exactly once: {_AGREED}.",
            ),
            Play(
                name="signature-approved",
                about="The card wants a signature instead of a PIN. The display asks whether it is"
                " good, and the confirm button says yes.",
                ends="approved",
                press="confirm",
                cue="signature",
                signature="approved",
                proves=f"{AMOUNT} {CURRENCY} were charged exactly once, and only after the button"
                f" said yes: {_AGREED}.",
            ),
            Play(
                name="signature-declined",
                about="The card wants a signature instead of a PIN. The display asks whether it is"
                " good, and the abort button says no.",
                ends="declined",
                press="abort",
                cue="signature",
                signature="declined",
                proves=f"nothing was charged, because the button said no: {_AGREED}.",
            ),
            Play(
                name="declined",
                about="A customer puts a card in and types the PIN. The bank says no.",
                ends="declined",
                proves=f"nothing was charged, and the till knows why: {_AGREED}.",
            ),
            Play(
                name="aborted",
                about="The terminal waits for a card. The customer presses the lane's abort button"
                " instead.",
                ends="aborted",
                press="abort",
                cue="card",
                proves=f"the button ended the payment, nothing was charged: {_AGREED}.",
            ),
            Play(
                name="customer-cancel",
                about="The terminal waits for a card. The customer presses stop on the terminal.",
                ends="aborted",
                proves=f"nothing was charged, and the till knows why: {_AGREED}.",
            ),
            Play(
                name="busy",
                about="The terminal is at work on something else and says that it is busy. laned"
                " asks again, each time with an attempt of its own, until it takes the payment.",
                ends="approved",
                tries_again=True,
                proves=f"{AMOUNT} {CURRENCY} were charged exactly once, and the till has only seen"
                f" time pass: {_AGREED}.",
            ),
            Play(
                name="lost-response",
                about="The bank says yes, and the connection breaks before the terminal's answer"
                " has come. laned asks the terminal what became of the payment.",
                ends="approved",
                proves=f"{AMOUNT} {CURRENCY} were charged exactly once, although the answer was"
                f" lost: {_AGREED}.",
            ),
            Play(
                name="reboot",
                about="The bank says yes, and the terminal restarts before it has answered. laned"
                " logs in again, because the terminal itself says that there is no session, and"
                " asks what became of the payment.",
                ends="approved",
                proves=f"{AMOUNT} {CURRENCY} were charged exactly once, although the terminal"
                f" restarted: {_AGREED}.",
            ),
            Play(
                name="reboot-forgets",
                about="The bank says yes, and the terminal restarts and knows nothing of it then."
                " laned guesses nothing: the payment is set aside as unknown, and the lane takes"
                " the next customer's. Whoever looks it up later says what became of it.",
                ends="unknown",
                forgotten=True,
                proves=f"{AMOUNT} {CURRENCY} were charged exactly once, and the till was told that"
                " nobody knows: the lane is ready, and nobody had to do anything.",
            ),
            Play(
                name="maintenance",
                about="The terminal wants to be updated. As soon as nobody has paid for a while,"
                " laned logs out and allows it; the terminal updates itself and restarts, and laned"
                " logs in again when it is told that this is over. Then a customer pays.",
                ends="approved",
                maintained=True,
                proves="the terminal had its update, nobody had to do anything, and then"
                f" {AMOUNT} {CURRENCY} were charged exactly once: {_AGREED}.",
            ),
            Play(
                name="light",
                about="Light integration: the terminal posts nothing to laned, only answers. A"
                " customer pays, and what the terminal shows is seen on the terminal alone.",
                ends="approved",
                mode="light",
                proves=f"{AMOUNT} {CURRENCY} were charged exactly once: {_AGREED}.",
            ),
            Play(
                name="light-signature-declined",
                about="Light integration, and the card wants a signature. The bank has said yes"
                " before anybody could look at it; then the display asks whether it is good, the"
                " abort button says no, and laned has the terminal take the payment back.",
                ends="declined",
                mode="light",
                press="abort",
                cue="signature",
                signature="declined",
                taken_back=True,
                proves=f"{AMOUNT} {CURRENCY} were taken back, because the button said no:"
                f" {_AGREED}.",
            ),
            Play(
                name="power-cut",
                about="The terminal waits for a card, and the power fails, the terminal's and"
                " laned's. Both start again and nobody does anything: laned logs in, because the"
                " terminal says that there is no session, and asks what became of the payment. The"
                " terminal does not know. That proves nothing: the payment is set aside as unknown,"
                " and the next customer pays.",
                ends="unknown",
                power_cut=True,
                proves=f"{AMOUNT} {CURRENCY} were charged exactly once, the next customer's; nobody"
                f" had to do anything, and nothing was guessed: {_AGREED}.",
            ),
        )
    }
)


def faults(play: Play, outcome: Outcome) -> list[str]:
    """What is not as it should be; empty: the play ended as it should."""
    payment = outcome.payment
    found = list(_unlike(payment, "state", play.ends))
    found += _unlike(payment, "signature", play.signature)
    found += _unlike(payment, "abort_requested", play.cue == "card")
    if (len(payment["attempts"]) > 1) is not play.tries_again:
        found.append(f"the payment took {len(payment['attempts'])} attempts")
    if outcome.maintenances != play.maintained:
        found.append(f"the terminal was maintained {outcome.maintenances} times")
    if payment["resolved"] is not None:
        found.append(f"the payment's resolved is {payment['resolved']}")
    if outcome.kept != payment:
        found.append("the journal holds the payment otherwise than the till was told")
    found += _of_doubt(play, outcome)
    found += _of_books(play, outcome)
    found += _of_next(play, outcome)
    found += [f"the terminal says that laned broke a rule: {rule}" for rule in outcome.violations]
    return found


def _unlike(payment: dict[str, Any], field: str, wanted: object) -> Iterable[str]:
    if payment[field] != wanted:
        yield f"the payment's {field} is {payment[field]}, it should be {wanted}"


def _of_doubt(play: Play, outcome: Outcome) -> Iterable[str]:
    """Whether what stayed undecided, and nothing else, is set aside."""
    undecided = play.ends == "unknown"
    if (outcome.payment["set_aside_at"] is not None) is not undecided:
        yield f"the payment is {outcome.payment['state']} and {'not ' * undecided}set aside"
    wanted = (outcome.payment["id"],) if undecided else ()
    if outcome.set_aside != wanted:
        listed = " and ".join(outcome.set_aside) or "nothing"
        yield f"the lane lists {listed} as set aside"


def _of_next(play: Play, outcome: Outcome) -> Iterable[str]:
    """Whether the lane took the next payment by itself, and in time."""
    if not play.power_cut:
        return
    if outcome.next is None or outcome.next["state"] != "approved":
        yield "the next payment was not taken"
    if outcome.shut_for > SHUT_AT_MOST:
        yield f"the next payment was taken after {outcome.shut_for:.0f} s"


def _of_books(play: Play, outcome: Outcome) -> Iterable[str]:
    charged = [entry for entry in outcome.books if entry.state is State.CHARGED]
    reversed_ = [entry for entry in outcome.books if entry.state is State.REVERSED]
    once = play.ends == "approved" or play.forgotten
    yield from _unlike_in_books(charged, "charged", once + play.power_cut)
    yield from _unlike_in_books(reversed_, "taken back", int(play.taken_back))
    told = (outcome.payment, outcome.next or {})
    known = [payment["poi_transaction"]["id"] for payment in told if payment.get("poi_transaction")]
    for entry in charged if not play.forgotten else ():  # what nobody has told has no identity
        if entry.poi_transaction_id not in known:
            yield (
                f"the terminal charged {entry.poi_transaction_id},"
                f" the till knows {' and '.join(known) or None}"
            )


def _unlike_in_books(entries: list[Transaction], what: str, times: int) -> Iterable[str]:
    amounts = [f"{entry.amount} {entry.currency}" for entry in entries]
    wanted = [f"{Decimal(AMOUNT)} {CURRENCY}"] * times
    if amounts != wanted:
        yield (
            f"the terminal's books say that {' and '.join(amounts) or 'nothing'} was {what},"
            f" it should be {' and '.join(wanted) or 'nothing'}"
        )
