"""The rules that the model's lane follows: as they are written, mended, and too loose."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Rules:
    """Money rules 2 to 5 and 14 by the letter; each field is a departure from them.

    Left out of the model: reversals, vends, signatures, amounts, what a person resolves, and the
    pause after two set aside in a row.
    """

    # Looser
    not_found_decides: bool = False
    older_decides: bool = False
    foreign_decides: bool = False
    login_unasked: bool = False
    unasked_after_login: bool = False
    sends_beside_busy: bool = False
    next_attempt_after_not_found: bool = False
    start_ends_unfinished: bool = False
    # Mended
    busy_counts_in_all: bool = False  # heeded for 10 minutes of an attempt in all, not in a row
    callbacks_count: bool = False  # they use up the same 10 minutes
    no_session_ends_work: bool = False  # also while the own connection seems to be open
    # Bounds of the search
    attempts: tuple[int, int] = (2, 2)
    swaps: bool = False
    steady: str = ""  # all that the terminal answers where it does not tell the outcome


LETTER = Rules()
MENDED = Rules(busy_counts_in_all=True, callbacks_count=True, no_session_ends_work=True)

LOOSER = {
    "NotFound is believed": Rules(not_found_decides=True),
    "that the terminal's last transaction is an older one is believed": Rules(older_decides=True),
    "another payment's repeated response is believed": Rules(foreign_decides=True),
    "Login without asking first": Rules(login_unasked=True),
    "no question after the Login": Rules(unasked_after_login=True),
    "a PaymentRequest while the terminal says Busy about one set aside": Rules(
        sends_beside_busy=True
    ),
    "another attempt after NotFound": Rules(next_attempt_after_not_found=True),
    "a start ends what it finds unfinished": Rules(start_ends_unfinished=True),
}

CHARGED = "a payment is charged and told failed, declined or aborted"
FOUND = {
    "NotFound is believed": CHARGED,
    "that the terminal's last transaction is an older one is believed": CHARGED,
    "another payment's repeated response is believed": (
        "a payment is told approved and not charged"
    ),
    "Login without asking first": (
        "a Login ends what the terminal works on, and would have said so"
    ),
    "no question after the Login": (
        "a payment is set aside unasked that the terminal would have told of"
    ),
    "a PaymentRequest while the terminal says Busy about one set aside": (
        "a PaymentRequest goes to a terminal that says it works on another payment"
    ),
    "another attempt after NotFound": "a payment is charged twice",
    "a start ends what it finds unfinished": CHARGED,
}
"""What each of them is found to do."""

STEADY = ("not found", "no answer", "busy", "callback")
"""What a terminal may answer always, where it does not tell the outcome."""


def swapped(rules: Rules) -> Rules:
    """The rules where terminals are swapped; with fewer attempts, to stay within seconds."""
    return replace(rules, attempts=(1, 1), swaps=True)
