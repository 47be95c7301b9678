"""The configuration: frozen settings.

The struct classes are the tables of the file, field for field, and hold what the file says; their
properties give it in the form that code wants. The annotations carry the limits and the words for
them, so that an error can say what was found and what is allowed (`laned.config.toml_reader`).
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Final, Literal

from msgspec import Meta

from laned.config.constraints import Pin, Table, like, parsed, seconds, whole
from laned.config.display import DisplayConfig

MAX_PEERS: Final = 64
MIN_WINDOW_MINUTES: Final = 60

JOURNAL_NAME: Final = "journal.sqlite3"
DEFAULT_SOCKET_MODE: Final = 0o660
DEFAULT_BUTTON_PINS: Final[Mapping[str, int]] = MappingProxyType({"confirm": 17, "abort": 27})

Currency = Literal["SEK", "NOK", "DKK", "EUR"]
_DECIMALS: Final[Mapping[str, int]] = MappingProxyType({"SEK": 2, "NOK": 2, "DKK": 2, "EUR": 2})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def decimals(currency: str) -> int:
    """Decimals of an amount in `currency`; KeyError for a currency that laned does not take."""
    return _DECIMALS[currency]


# -- Values written as text: ValueError if they are not what the annotation describes -----------


def host_port(text: str, lowest: int = 1) -> tuple[str, int]:
    """Split "host:port"; the brackets around an IPv6 address do not belong to the host.

    Raises ValueError for anything else, and for a port below `lowest`.
    """
    host, _, port = text.rpartition(":")
    if re.fullmatch(r"0|[1-9][0-9]{0,4}", port) is None or not lowest <= int(port) <= 65535:
        raise ValueError
    if re.fullmatch(r"\[[0-9A-Fa-f:.]+\]", host):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    label = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    if len(host) > 253 or re.fullmatch(rf"{label}(\.{label})*", host) is None:
        raise ValueError
    if host.rpartition(".")[2].isdecimal():
        ipaddress.IPv4Address(host)
    return host, int(port)


def _terminal_address(text: str) -> tuple[str, int] | None:
    return None if text == "auto" else host_port(text)


def _window(text: str) -> tuple[time, time] | None:
    if not text:
        return None
    clock = r"([01][0-9]|2[0-3]):([0-5][0-9])"
    match = re.fullmatch(f"{clock}-{clock}", text)
    if match is None:
        raise ValueError
    hour, minute, end_hour, end_minute = map(int, match.groups())
    length = (end_hour * 60 + end_minute - hour * 60 - minute) % (24 * 60)
    if length < MIN_WINDOW_MINUTES:
        raise ValueError
    return time(hour, minute), time(end_hour, end_minute)


# -- Values, and the words for them ----------------------------------------------------------------

_ADDRESS = '"host:port" with a port from 1 to 65535 and brackets around an IPv6 address'
_PEER = 'an IP address or a network such as "192.168.78.0/24"'
_AMOUNT = 'an amount in quotes such as "500.00", or "0" for no limit'
_WINDOW = f'"HH:MM-HH:MM" of at least {MIN_WINDOW_MINUTES} minutes, or "" for never'
_ASCII_TEXT = "[!-~]([ -~]*[!-~])?"
_FILE_PATH = "(/[ -.0-~]+)+"

_Identifier = Annotated[
    str, like("an identifier of 1 to 32 printable ASCII characters", _ASCII_TEXT, 32)
]
_Serial = Annotated[
    str, like("a text of at most 64 printable ASCII characters", f"({_ASCII_TEXT})?", 64)
]
_Name = Annotated[
    str, like("a name of 1 to 64 letters, digits and - _ . or space", r"[\w.-]+( [\w.-]+)*", 64)
]
# The kernel's sockaddr_un has room for 108 bytes, the last one a NUL.
_SocketPath = Annotated[str, like("an absolute path of at most 107 characters", _FILE_PATH, 107)]
_Path = Annotated[str, like("an absolute path of at most 1024 characters", _FILE_PATH, 1024)]
_Mode = Annotated[str, like('an octal mode in quotes such as "0660"', "0?[0-7]{3}", 4)]
_Group = Annotated[str, like('a group\'s name or ""', r"([A-Za-z0-9_][A-Za-z0-9_.-]*)?", 32)]
_Amount = Annotated[str, like(_AMOUNT, r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?", 16)]
_Peer = Annotated[str, parsed(_PEER, ipaddress.ip_network)]
_Peers = Annotated[
    tuple[_Peer, ...],
    Meta(max_length=MAX_PEERS, description=f"a list of at most {MAX_PEERS} addresses or networks"),
]
_Level = Literal["low", "high"]
_ButtonName = Annotated[
    str, like("a button's name of 1 to 32 letters a-z, digits, - and _", "[a-z][a-z0-9_-]*", 32)
]


# -- The tables ---------------------------------------------------------------------------------


class LaneConfig(Table, frozen=True, kw_only=True):
    """[lane]: its name, its integration mode, and the OperatorLanguage of the Login."""

    name: _Name = "lane1"
    mode: Literal["default", "light"] = "default"
    language: Literal["sv", "no", "fi", "da", "en"] = "sv"


class TerminalConfig(Table, frozen=True, kw_only=True):
    """[terminal]: where it is, the identifiers of the message header, and seconds to wait."""

    address: Annotated[str, parsed(f'{_ADDRESS}, or "auto"', _terminal_address)]
    poi_id: _Identifier
    sale_id: _Identifier = "1"
    serial: _Serial = ""
    currency: Currency = "SEK"
    connect_timeout: Annotated[float, seconds(60)] = 3.0
    response_timeout: Annotated[float, seconds(3600)] = 300.0
    status_timeout: Annotated[float, seconds(120)] = 10.0
    retry_interval: Annotated[float, seconds(30)] = 2.0

    @property
    def host_port(self) -> tuple[str, int] | None:
        """Host (IPv6 without brackets) and port; None for "auto"."""
        return _terminal_address(self.address)


class ListenerConfig(Table, frozen=True, kw_only=True):
    """[listener]: what the terminal posts to, and who may post."""

    bind: Annotated[str, parsed(_ADDRESS, host_port)] = "0.0.0.0:11000"
    allow: _Peers = ()

    @property
    def host_port(self) -> tuple[str, int]:
        """Host (IPv6 without brackets) and port to listen on."""
        return host_port(self.bind)

    @property
    def networks(self) -> tuple[Network, ...]:
        """`allow` as networks; empty stands for the terminal's present address."""
        return tuple(ipaddress.ip_network(peer) for peer in self.allow)


class TillConfig(Table, frozen=True, kw_only=True):
    """[till]: the unix socket. A `mode` of None was not given."""

    socket: _SocketPath = "/run/laned/till.sock"
    mode: _Mode | None = None
    group: _Group = ""

    @property
    def permissions(self) -> int:
        """The mode bits of the socket."""
        return DEFAULT_SOCKET_MODE if self.mode is None else int(self.mode, 8)

    @property
    def sets_access(self) -> bool:
        """Whether the file gives mode or group, which a socket from systemd does not allow."""
        return self.mode is not None or self.group != ""


class PaymentConfig(Table, frozen=True, kw_only=True):
    """[payment]: what is confirmed by whom, within how many seconds, and the largest amount.

    `reverse_mobile`: also what was no card is reversed, where the terminal can.
    """

    confirm: Literal["none", "button"] = "none"
    confirm_timeout: Annotated[float, seconds(3600)] = 60.0
    signature: Literal["decline", "button", "till"] = "decline"
    signature_timeout: Annotated[float, seconds(3600)] = 60.0
    max_amount: _Amount = "0"
    reverse_mobile: bool = False

    @property
    def limit(self) -> Decimal | None:
        """The largest amount that is asked of the terminal; None: no limit of ours."""
        return Decimal(self.max_amount) or None


class MaintenanceConfig(Table, frozen=True, kw_only=True):
    """[maintenance]: when the terminal is logged out so that it can update."""

    window: Annotated[str, parsed(_WINDOW, _window)] = "03:00-04:30"

    @property
    def times(self) -> tuple[time, time] | None:
        """Begin and end in local time, the end perhaps on the next day; None: never."""
        return _window(self.window)


class ButtonConfig(Table, frozen=True, kw_only=True):
    """A button: GPIO numbers (BCM) of its contact and LED (None: no LED), seconds of bounce.

    `active` is the level of `pin` while it is pressed, None: the one that `pull` does not give;
    `led_active` that of `led` while it is lit, None: high.
    """

    pin: Pin
    led: Pin | None = None
    bounce_time: Annotated[float, seconds(1, low=0)] = 0.03
    pull: Literal["up", "down", "none"] = "up"
    active: _Level | None = None
    led_active: _Level | None = None

    @property
    def pressed_high(self) -> bool:
        """Whether the pin's level is high while the button is pressed."""
        return self.pull == "down" if self.active is None else self.active == "high"


class TillButtonConfig(ButtonConfig, frozen=True, kw_only=True):
    """A button that the lane itself has no use for: the till is told of it."""

    action: Literal["till"]


_TillButtons = Annotated[
    Mapping[_ButtonName, TillButtonConfig],
    Meta(
        description='for a button of the till\'s own, any name with action = "till"',
        extra={"told by": "action"},
    ),
]


class ButtonsConfig(Table, frozen=True, kw_only=True):
    """[buttons], and below it a table for each button; `till`: those under names of their own."""

    driver: Literal["gpio", "virtual", "none"] = "gpio"
    confirm: ButtonConfig = ButtonConfig(pin=DEFAULT_BUTTON_PINS["confirm"], led=22)
    abort: ButtonConfig = ButtonConfig(pin=DEFAULT_BUTTON_PINS["abort"], led=23)
    approve: ButtonConfig | None = None
    till: _TillButtons = MappingProxyType({})

    @property
    def named(self) -> dict[str, ButtonConfig]:
        """Every button that there is, by name."""
        buttons = {"confirm": self.confirm, "abort": self.abort, "approve": self.approve}
        return {name: one for name, one in buttons.items() if one is not None} | dict(self.till)


class JournalConfig(Table, frozen=True, kw_only=True):
    """[journal]: where it is, days until details are pruned, what to do if it is corrupt."""

    path: _Path = f"/var/lib/laned/{JOURNAL_NAME}"
    keep_days: Annotated[int, whole(1, 36_500, "a number of days")] = 400
    on_corrupt: Literal["stop", "aside"] = "stop"


class Config(Table, frozen=True, kw_only=True):
    """The whole file. Reading one checks the values; building one in code does not."""

    lane: LaneConfig = LaneConfig()
    terminal: TerminalConfig
    listener: ListenerConfig = ListenerConfig()
    till: TillConfig = TillConfig()
    payment: PaymentConfig = PaymentConfig()
    maintenance: MaintenanceConfig = MaintenanceConfig()
    display: DisplayConfig = DisplayConfig()
    buttons: ButtonsConfig = ButtonsConfig()
    journal: JournalConfig = JournalConfig()

    @property
    def texts_language(self) -> str:
        """The language of laned's own texts: en, sv, no, da or fi."""
        return self.display.language or self.lane.language
