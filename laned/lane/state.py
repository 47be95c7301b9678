"""The lane's state: one frozen value, the single truth while the daemon runs."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from laned.config import Config
from laned.lane.payment import Attempt, Order, Payment, ReversalOrder

SERVICE_ID_LIMIT = 10_000_000_000  # ten digits: the header's limit
SERVICE_ID_BLOCK = 100  # ServiceIDs reserved by one write to the journal


class Phase(StrEnum):
    """What the lane is doing; the columns of the machine's table."""

    OFFLINE = "offline"  # no session; a Login is tried at `login_at`
    LOGGING_IN = "logging_in"  # a Login is out, nothing is unfinished
    READY = "ready"  # a session, nothing to do
    LOGGING_OUT = "logging_out"  # a Logout is out
    LOGGED_OUT = "logged_out"  # logged out by hand, until somebody logs in
    PENDING = "pending"  # a payment waits for its confirmation, nothing was sent
    PAYING = "paying"  # a PaymentRequest is out
    RETRYING = "retrying"  # the newest attempt was refused, the next one waits
    DOUBT = "doubt"  # an attempt may have been done; TransactionStatus asks
    RELOGIN = "relogin"  # a Login is out because a TransactionStatus said there is no session
    SURVEY = "survey"  # a new journal: the terminal is asked for its last transaction first
    BROKEN = "broken"  # the journal cannot be used: nothing is sent, payments are refused
    STOPPED = "stopped"  # nothing more is sent; the daemon may end


class SessionState(StrEnum):
    """The session as the till sees it."""

    OFFLINE = "offline"
    LOGGING_IN = "logging_in"
    READY = "ready"
    BUSY = "busy"
    MAINTENANCE = "maintenance"
    LOGGED_OUT = "logged_out"


class Terminal(Struct, frozen=True, kw_only=True):
    """The terminal at the other end; serial and software are empty until it has logged us in."""

    address: str
    serial_number: str = ""
    software: str = ""


class Shown(Struct, frozen=True):
    """What the terminal's display shows, and the id of its first text."""

    lines: tuple[str, ...]
    code: int | None = None


PromptKind = Literal["signature", "payment"]
AnsweredBy = Literal["button", "till", "timeout", "terminal"]


class Prompt(Struct, frozen=True, kw_only=True):
    """A question to a person; `answer` and `by` are set when it is closed.

    `key` names the terminal's request that waits for the answer (None: nobody's), `deadline` is
    monotonic seconds. An answer of None: withdrawn.
    """

    id: str
    kind: PromptKind
    text: str
    expires_at: datetime
    deadline: float
    key: str | None = None
    answer: bool | None = None
    by: AnsweredBy | None = None


class ServiceIDs(Struct, frozen=True):
    """The counter that ServiceIDs come from; those below `reserved` are on disk as used."""

    next: int
    reserved: int


class Hardware(Struct, frozen=True, kw_only=True):
    """Health of our own hardware: ok, failing or off."""

    display: str = "off"
    buttons: str = "off"


class Verdict(Struct, frozen=True):
    """A payment that a person has resolved, and its attempt, whose own answer may still come."""

    payment: Payment
    attempt: Attempt


class LaneState(Struct, frozen=True, kw_only=True):
    """Everything that is true of the lane now. Times ending in `_at` are monotonic seconds."""

    config: Config
    phase: Phase
    service_ids: ServiceIDs
    terminal: Terminal
    since: datetime
    reason: str = ""
    journal: str = "ok"
    hardware: Hardware = Hardware()
    shown: Shown = Shown(())

    # the payment that is not final, and what was asked and tried for it
    payment: Payment | None = None
    order: Order | ReversalOrder | None = None
    attempt: Attempt | None = None
    sent: bool = False  # the attempt's last byte has left
    post_open: bool = False  # the attempt's own connection may still bring its answer
    running: bool = True  # the terminal said so last, or has not been silent yet
    asking: str | None = None  # ServiceID of the TransactionStatus that is out
    ask_for_last: bool = False  # the next question is what the terminal's last transaction was
    not_found_at: float | None = None  # since when the terminal says that it knows no such attempt
    sessions_missing: int = 0  # how often the payment was refused for want of a session
    aborts_left: int = 0
    answer_by: float = 0.0  # the terminal is asked by then, whatever it posts

    # when each button's meaning changed last: one that was down then must be released first
    meant_since: dict[str, float] = {}

    prompt: Prompt | None = None  # open
    closed: Prompt | None = None  # the one that was closed last
    settled: Payment | None = None  # the payment that became final last
    verdicts: tuple[Verdict, ...] = ()

    logged_in: bool = False  # a Login of this run succeeded, and nothing said otherwise since
    stopping: bool = False
    login_backoff: float = 0.0  # seconds to the next Login after the one that fails now

    # what the lane waits for
    login_at: float | None = None
    ask_at: float | None = None
    abort_at: float | None = None
    retry_at: float | None = None
    give_up_at: float | None = None  # no further attempt from then on

    @property
    def wake_at(self) -> float | None:
        """When the next TimePassed is due, in monotonic seconds; None: only an event matters."""
        times = (self.login_at, self.ask_at, self.abort_at, self.retry_at, self.prompt_deadline)
        return min((time for time in times if time is not None), default=None)

    @property
    def prompt_deadline(self) -> float | None:
        """When the open prompt times out."""
        return self.prompt.deadline if self.prompt else None

    @property
    def unknown(self) -> bool:
        """Whether the terminal may have done the payment and does not say."""
        return self.payment is not None and self.payment.unknown

    @property
    def reversing(self) -> bool:
        """Whether what is unfinished is the reversal of an approved payment."""
        return self.payment is not None and self.payment.reversal is not None

    @property
    def aborting(self) -> bool:
        """Whether the unfinished payment is to end; a reversal runs on, whatever was asked once."""
        return self.payment is not None and self.payment.abort_requested and not self.reversing

    @property
    def session(self) -> SessionState:
        """The session's state as the till sees it."""
        match self.phase:
            case Phase.OFFLINE | Phase.SURVEY | Phase.BROKEN | Phase.STOPPED:
                return SessionState.OFFLINE
            case Phase.LOGGING_IN:
                return SessionState.LOGGING_IN
            case Phase.LOGGED_OUT:
                maintenance = self.reason == "maintenance"
                return SessionState.MAINTENANCE if maintenance else SessionState.LOGGED_OUT
            case Phase.READY | Phase.PENDING:
                return SessionState.READY
            case Phase.DOUBT | Phase.RELOGIN if self.unknown:
                return SessionState.OFFLINE
            case _:
                return SessionState.BUSY
