"""The lane's state: one frozen value, the single truth while the daemon runs."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from laned.config.schema import Config
from laned.lane.payment import Attempt, Order, Payment, ReversalOrder
from laned.nexo.messages import ErrorCondition

MAINTENANCE = "maintenance"  # the reason of a Logout that lets the terminal update itself
SERVICE_ID_LIMIT = 10_000_000_000  # ten digits: the header's limit
SERVICE_ID_BLOCK = 100  # ServiceIDs reserved by one write to the journal


class Phase(StrEnum):
    """What the lane is doing; the columns of the machine's table."""

    OFFLINE = "offline"  # no session; a Login is tried at `login_at`
    LOGGING_IN = "logging_in"  # a Login is out, nothing is unfinished
    READY = "ready"  # a session, nothing to do
    LOGGING_OUT = "logging_out"  # a Logout is out, or is sent again at `logout_at`
    LOGGED_OUT = "logged_out"  # by hand, until somebody logs in; for maintenance, until it is over
    UPDATING = "updating"  # the terminal is asked to look for updates
    PENDING = "pending"  # a payment waits for its confirmation, nothing was sent
    PAYING = "paying"  # a PaymentRequest is out
    RETRYING = "retrying"  # the newest attempt was refused, the next one waits
    DOUBT = "doubt"  # an attempt may have been done; TransactionStatus asks
    RELOGIN = "relogin"  # a Login is out because a TransactionStatus said there is no session
    SIGNING = "signing"  # light integration: charged, a person says whether the signature is good
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


class Upkeep(Struct, frozen=True, kw_only=True):
    """What the lane knows of the terminal's maintenance; monotonic seconds.

    `born_at`: when this life began; `began_at`: when the terminal was last logged out for
    maintenance. `wanted`: it asked for maintenance, which is granted once the lane has been idle
    for `idle_before`, or as soon as nothing is unfinished if it is `urgent`; `over`: it said that
    the maintenance is over.
    """

    born_at: float
    idle_before: float
    began_at: float | None = None
    wanted: bool = False
    urgent: bool = False
    over: bool = False


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
    """Health of our own hardware: starting until it was opened, or tried; ok, failing or off."""

    display: str = "starting"
    buttons: str = "starting"


class Verdict(Struct, frozen=True):
    """A payment that a person has resolved, and its attempt: the terminal may still tell of it."""

    payment: Payment
    attempt: Attempt
    post_open: bool  # on the attempt's own connection too


class LaneState(Struct, frozen=True, kw_only=True):
    """Everything that is true of the lane now. Times ending in `_at` are monotonic seconds."""

    config: Config
    phase: Phase
    service_ids: ServiceIDs
    terminal: Terminal
    since: datetime
    upkeep: Upkeep
    reason: str = ""
    journal: str = "ok"
    hardware: Hardware = Hardware()
    shown: Shown = Shown(())

    # the payment that is not final, and what was asked and tried for it
    payment: Payment | None = None
    order: Order | ReversalOrder | None = None
    attempt: Attempt | None = None
    sent: bool = False  # the attempt's last byte has left
    post_open: bool = False  # the attempt's own connection may bring its answer; else it is closed
    login_out: bool = False  # SIGNING: the Login of RELOGIN, which it was in before, is still out
    running: bool = True  # the terminal said so last, or has not been silent yet
    asking: str | None = None  # ServiceID of the TransactionStatus that is out
    ask_for_last: bool = False  # the next question is what the terminal's last transaction was
    watched: bool = False  # what the terminal did with the attempt cannot have escaped this life
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
    login_to: str = ""  # the address of the next Login, or of the one that is out
    updated: str = ""  # what the terminal answered when it was asked to look for updates

    # where else the terminal may be (`laned.lane.addresses`)
    remembered: str = ""  # serial number of the terminal that logged this lane in last
    candidates: tuple[str, ...] = ()  # addresses that were announced, the newest first
    learn_until: float = 0.0  # until then a first address may come from anyone

    # what the lane waits for
    login_at: float | None = None
    logout_at: float | None = None
    upkeep_at: float | None = None  # READY: maintenance may be due; LOGGED_OUT: over
    ask_at: float | None = None
    abort_at: float | None = None
    retry_at: float | None = None
    give_up_at: float | None = None  # no further attempt, or Logout, from then on
    idle_since: float = 0.0  # READY since then

    def waits_for(self, service_id: str) -> bool:
        """Whether the answer on this attempt's own connection still matters.

        After a person's verdict too, unless the request has not left: then it must not any more.
        """
        newest = self.attempt is not None and self.attempt.service_id == service_id
        return (newest and self.post_open) or any(
            verdict.post_open and verdict.attempt.service_id == service_id
            for verdict in self.verdicts
        )

    @property
    def wake_at(self) -> float | None:
        """When the next TimePassed is due, in monotonic seconds; None: only an event matters."""
        times = (
            self.login_at,
            self.logout_at,
            self.upkeep_at if self.phase in (Phase.READY, Phase.LOGGED_OUT) else None,
            self.ask_at,
            self.abort_at,
            self.retry_at,
            self.prompt_deadline,
        )
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
            case Phase.OFFLINE | Phase.LOGGING_IN if self.reason == ErrorCondition.BUSY:
                return SessionState.BUSY
            case Phase.OFFLINE | Phase.SURVEY | Phase.BROKEN | Phase.STOPPED:
                return SessionState.OFFLINE
            case Phase.LOGGING_IN:  # with a reason: one of many tries, told once
                return SessionState.OFFLINE if self.reason else SessionState.LOGGING_IN
            case Phase.LOGGED_OUT:
                maintenance = self.reason == MAINTENANCE
                return SessionState.MAINTENANCE if maintenance else SessionState.LOGGED_OUT
            case Phase.READY | Phase.PENDING:
                return SessionState.READY
            case Phase.DOUBT | Phase.RELOGIN if self.unknown:
                return SessionState.OFFLINE
            case _:
                return SessionState.BUSY
