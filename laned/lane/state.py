"""The lane's state: one frozen value, the single truth while the daemon runs."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from laned.config.schema import Config
from laned.lane.payment import Attempt, Order, Payment, ReversalOrder
from laned.nexo.messages import ErrorCondition

SERVICE_ID_LIMIT = 10_000_000_000  # ten digits: the header's limit
SERVICE_ID_BLOCK = 100  # ServiceIDs reserved by one write to the journal


class Phase(StrEnum):
    """What the lane is doing; the columns of the table."""

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
    SIGNING_RELOGIN = "signing_relogin"  # as SIGNING, and the Login of RELOGIN is still out
    REVIEWING = "reviewing"  # asks after what is set aside, before a Login or after one
    CHECKING = "checking"  # asks after what is set aside, before the first PaymentRequest
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


class Reason(StrEnum):
    """Why there is no session, or why the lane logs out. `REFUSED`: as the terminal put it."""

    NONE = ""
    STARTING = "starting"
    UNREACHABLE = "unreachable"
    NO_ADDRESS = "no_address"
    OTHER_TERMINAL = "other_terminal"
    NO_SESSION = "no_session"
    BUSY = ErrorCondition.BUSY.value
    REFUSED = "login_refused"
    TERMINAL_BUSY = "terminal_busy"  # with a payment of the journal that was lost
    MAINTENANCE = "maintenance"  # a Logout that lets the terminal update itself
    BY_HAND = "by_hand"
    DOUBTS = "doubts"  # too many in a row are set aside: nothing is sold for a while
    JOURNAL = "journal"
    STOPPED = "stopped"


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


class Maintenance(Struct, frozen=True, kw_only=True):
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


class SetAside(Struct, frozen=True, kw_only=True):
    """A payment that is not waited for any more, and its newest attempt (money rule 14).

    It was given up, or resolved by a person; the terminal may still tell of it.
    """

    payment: Payment
    attempt: Attempt
    until: datetime  # asked after until then
    unanswered: int = 0  # questions in a row to which nothing came
    doubted_since: float | None = None  # monotonic; as of a Pursuit
    working: bool = False  # resolved by a person, and the terminal said last that it is at work
    response_expected: bool = False  # the attempt's own connection may bring its answer


class Then(StrEnum):
    """What comes after a review of what is set aside."""

    LOG_IN = "log_in"
    BE_READY = "be_ready"


class Review(Struct, frozen=True, kw_only=True):
    """Questions about what is set aside: the ServiceIDs of the attempts still to be asked after."""

    left: tuple[str, ...]
    end_at: float | None = None  # monotonic; without an answer nothing more is asked from then on
    then: Then = Then.BE_READY  # in CHECKING: the first attempt


class Pursuit(Struct, frozen=True, kw_only=True):
    """The one payment or reversal that the lane is at work on, and all that ends with it.

    Times ending in `_at` are monotonic seconds. `order` is None after a restart, when nothing may
    be asked of the terminal anew.
    """

    payment: Payment
    order: Order | ReversalOrder | None = None
    attempt: Attempt | None = None
    prompt: Prompt | None = None  # the question to a person that is open

    # the newest attempt
    sent: bool = False  # its last byte has left
    response_expected: bool = False  # its own connection may bring its answer; else it is closed
    terminal_working: bool = True  # the terminal said so last, or has not been silent yet
    tries: int = 0  # a reversal that the terminal has turned away, or did not decide
    answer_by: float = 0.0  # the terminal is asked by then, whatever it posts

    # the doubt about it (money rule 14)
    posted_at: float | None = None  # the terminal's last post that may be about it
    doubted_since: float | None = None  # it was asked, and has decided nothing
    undecided_since: float | None = None  # it has answered nothing that decides
    silent_since: float | None = None  # it has not answered at all, though its port is open
    gone_since: float | None = None  # it has not answered at all where the attempt was sent
    asked_at: str = ""  # the address of the newest question
    end_made: bool = False  # our AbortRequest was sent for that
    login_at: float | None = None  # and then the Login that ends what it may do
    ended: bool = False  # that Login, or another, was answered: one more question decides

    # all attempts
    sessions_missing: int = 0  # how often the terminal refused one for want of a session
    aborts_left: int = 0
    abort_at: float | None = None  # the next AbortRequest
    retry_at: float | None = None  # the next attempt
    give_up_at: float | None = None  # no further attempt from then on

    @property
    def between_attempts(self) -> bool:
        """Whether the terminal itself refused the newest attempt, and no other one is out."""
        return self.attempt is not None and self.attempt.refused is not None

    @property
    def reversing(self) -> bool:
        """Whether it is the reversal of an approved payment."""
        return self.payment.reversal is not None

    @property
    def aborting(self) -> bool:
        """Whether it is to end; a reversal runs on, whatever was asked once."""
        return self.payment.abort_requested and not self.reversing


class LaneState(Struct, frozen=True, kw_only=True):
    """Everything that is true of the lane now. Times ending in `_at` are monotonic seconds."""

    config: Config
    phase: Phase
    service_ids: ServiceIDs
    terminal: Terminal
    since: datetime
    maintenance: Maintenance
    reason: Reason = Reason.NONE
    condition: str = ""  # the terminal's word for it, where the reason is REFUSED
    journal: str = "ok"
    hardware: Hardware = Hardware()
    shown: Shown = Shown(())
    stopping: bool = False

    # what the lane is at work on, and what it was at work on before
    pursuit: Pursuit | None = None
    settled: Payment | None = None  # the payment that became final last
    closed: Prompt | None = None  # the prompt that was closed last
    set_aside: tuple[SetAside, ...] = ()  # the newest last
    doubts: int = 0  # set aside in a row without one between that the terminal decided
    review: Review | None = None
    review_at: float | None = None  # READY: when it is asked after next

    # when each button's meaning changed last: one that was down then must be released first
    meaning_changed_at: dict[str, float] = {}

    # the TransactionStatus: about the pursuit, the session, or a new journal's terminal
    asking: str | None = None  # ServiceID of the one that is out
    ask_at: float | None = None

    # the session
    logged_in: bool = False  # a Login of this run succeeded, and nothing said otherwise since
    login_at: float | None = None
    login_backoff: float = 0.0  # seconds to the next Login after the one that fails now
    login_to: str = ""  # the address of the next Login, or of the one that is out
    logout_at: float | None = None  # the next Logout, where the terminal was too busy
    logout_until: float | None = None  # no further Logout from then on
    maintenance_at: float | None = None  # READY: maintenance may be due; LOGGED_OUT: over
    idle_since: float = 0.0  # READY since then
    updated: str = ""  # what the terminal answered when it was asked to look for updates

    # where else the terminal may be (`laned.lane.addresses`)
    remembered: str = ""  # serial number of the terminal that logged this lane in last
    candidates: tuple[str, ...] = ()  # addresses that were announced, the newest first
    learn_until: float = 0.0  # until then a first address may come from anyone

    def waits_for(self, service_id: str) -> bool:
        """Whether the answer on this attempt's own connection still matters.

        After a person's verdict too, unless the request has not left: then it must not any more.
        """
        newest = self.attempt is not None and self.attempt.service_id == service_id
        expected = self.pursuit is not None and self.pursuit.response_expected
        return (newest and expected) or any(
            one.response_expected and one.attempt.service_id == service_id for one in self.set_aside
        )

    @property
    def wake_at(self) -> float | None:
        """When the next TimePassed is due, in monotonic seconds; None: only an event matters."""
        times = [self.login_at, self.logout_at, self.ask_at]
        if self.phase in (Phase.READY, Phase.LOGGED_OUT):
            times.append(self.maintenance_at)
        if self.phase is Phase.READY:
            times.append(self.review_at)
        if self.review is not None:
            times.append(self.review.end_at)
        if self.pursuit is not None:
            times += [self.pursuit.abort_at, self.pursuit.retry_at, self.pursuit.login_at]
        if self.prompt is not None:
            times.append(self.prompt.deadline)
        return min((time for time in times if time is not None), default=None)

    @property
    def why(self) -> str:
        """The reason in words: the terminal's where it gave one."""
        return self.condition or self.reason

    @property
    def payment(self) -> Payment | None:
        """The payment that is not final."""
        return self.pursuit.payment if self.pursuit is not None else None

    @property
    def attempt(self) -> Attempt | None:
        """Its newest attempt."""
        return self.pursuit.attempt if self.pursuit is not None else None

    @property
    def prompt(self) -> Prompt | None:
        """The question to a person that is open."""
        return self.pursuit.prompt if self.pursuit is not None else None

    @property
    def unknown(self) -> bool:
        """Whether the terminal may have done the payment and does not say."""
        return self.pursuit is not None and self.pursuit.payment.unknown

    @property
    def reversing(self) -> bool:
        """Whether what is unfinished is the reversal of an approved payment."""
        return self.pursuit is not None and self.pursuit.reversing

    @property
    def session(self) -> SessionState:
        """The session's state as the till sees it."""
        match self.phase:
            case Phase.OFFLINE | Phase.LOGGING_IN if self.reason is Reason.BUSY:
                return SessionState.BUSY
            case Phase.OFFLINE | Phase.SURVEY | Phase.BROKEN | Phase.STOPPED:
                return SessionState.OFFLINE
            case Phase.REVIEWING if self.logged_in:
                return SessionState.BUSY
            case Phase.LOGGING_IN | Phase.REVIEWING:  # with a reason: one of many tries, told once
                return SessionState.OFFLINE if self.reason else SessionState.LOGGING_IN
            case Phase.LOGGED_OUT:
                maintenance = self.reason is Reason.MAINTENANCE
                return SessionState.MAINTENANCE if maintenance else SessionState.LOGGED_OUT
            case Phase.READY | Phase.PENDING:
                return SessionState.READY
            case Phase.DOUBT | Phase.RELOGIN if self.unknown:
                return SessionState.OFFLINE
            case _:
                return SessionState.BUSY
