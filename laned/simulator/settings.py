"""What can be set on a simulated terminal, apart from the scenario of a payment."""

from datetime import time
from enum import StrEnum
from typing import Literal

from msgspec import Struct


class StatusAnswer(StrEnum):
    """How a terminal answers TransactionStatus, whatever it knows."""

    HONEST = "honest"
    MUTE = "mute"
    """Not at all, although it accepts the connection; with or without a session."""
    HTTP_ERROR = "HTTP error"
    """500 and nothing else; with or without a session."""
    UNREADABLE = "unreadable"
    """The honest answer, broken off in its middle, as a whole HTTP answer."""
    FOREIGN = "foreign"
    """The last response that it knows, under a ServiceID that nobody has sent; NotFound before."""
    NOT_FOUND = "NotFound"
    BUSY = "Busy"
    """Also of what it never heard of."""


class Settings(Struct, frozen=True):
    """A simulated terminal's habits. Times are seconds at speed 1."""

    serial: str = "2290714382"
    """POISerialNumber in the LoginResponse."""
    software: str = "0.9.41"
    address: str = "127.0.0.1:11001"
    """host:port at which the till reaches it: what it announces, until it moves."""
    poi_id: str = "A-POIID"
    """POIID in its menu, for what it posts before the first Login."""
    speed: float = 1.0
    """How many times faster than a person everything goes; MaxInputTime is not scaled."""
    language: str = "en"
    """Language of the display: en sv no da fi; empty: the till's OperatorLanguage."""
    busy_after_login: float = 3.0
    busy_after_payment: float = 3.0
    """Also after a reversal. Requests in between fail with Busy."""
    new_poi_busy: float = 0.0
    """A Login with a POIID not seen before is answered Busy for so long (0: never)."""
    boot_time: float = 20.0
    daily_reboot: time | None = None
    """Local time at which it restarts every day, as soon as nothing runs (None: never)."""
    maintenance_time: float = 120.0
    """From BeginMaintenance to EndMaintenance, the restart in its middle not counted."""
    maintenance_reboots: bool = True
    reversal_time: float = 2.0
    display_flag: Literal["false", "true", "absent"] = "false"
    """ResponseRequiredFlag of display requests; with true a DisplayResponse must come."""
    print_mode: Literal["NotRequired", "PrintEnd"] = "NotRequired"
    """ResponseMode of print requests."""
    max_input_time: int | None = 60
    """MaxInputTime of the signature question, seconds; None: no such attribute."""
    memory: int = 100
    """How many payment and reversal responses TransactionStatus can find again."""
    keeps_newest: bool = True
    """Whether the last response survives a loss of power; False: only those before it do."""
    remembers_refusals: bool = False
    """Whether a PaymentResponse that only said Busy or NotAllowed can be found again too."""
    refuse_reversals: bool = False
    taken_up_late: float = 0.0
    """Payment and reversal requests are taken up so late, even when their sender has hung up. Until
    then the terminal knows nothing of them; one that it had not taken up is lost with the power."""
    works_silently: bool = False
    """It posts nothing about a payment that it works on; whether a signature is good it does not
    ask, and takes as a no."""
    denies_work: bool = False
    """TransactionStatus says NotFound about what runs, or tells what was the last before."""
    status: StatusAnswer = StatusAnswer.HONEST
