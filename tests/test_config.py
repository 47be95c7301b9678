"""The configuration: every limit, and the words in which a mistake is told."""

import re
import tomllib
from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec import Struct, structs
from shared import SHARED, needs_shared

from laned.config.display import DisplayConfig
from laned.config.file import MAX_FILE_BYTES, MAX_FINDINGS, ConfigError, load, parse
from laned.config.schema import (
    DEFAULT_BUTTON_PINS,
    ButtonConfig,
    ButtonsConfig,
    Config,
    Currency,
    JournalConfig,
    LaneConfig,
    ListenerConfig,
    MaintenanceConfig,
    PaymentConfig,
    TerminalConfig,
    TillButtonConfig,
    TillConfig,
    decimals,
)

REPOSITORY = Path(__file__).parents[1]
SHIPPED = REPOSITORY / "config" / "laned.toml"

ADDRESS = "192.168.78.15:11000"
POI_ID = "A-POIID"
DEFAULTS = Config(terminal=TerminalConfig(address=ADDRESS, poi_id=POI_ID))


def text(*lines: str) -> str:
    """A configuration that is complete, with `table.key = value` lines added."""
    return "\n".join([f'terminal.address = "{ADDRESS}"', f'terminal.poi_id = "{POI_ID}"', *lines])


def read(*lines: str, **environ: str) -> Config:
    return parse(text(*lines), "laned.toml", environ)


def findings(document: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(document, "laned.toml", {})
    return str(caught.value).splitlines()


def replaced(line: str) -> str:
    """A complete configuration in which `line` takes the place of the line for the same key."""
    key = line.partition(" ")[0]
    return "\n".join([*(kept for kept in text().split("\n") if not kept.startswith(key)), line])


# -- What is accepted ---------------------------------------------------------------------------


def test_defaults_are_the_contracts() -> None:
    assert parse(text(), "laned.toml", {}) == Config(
        lane=LaneConfig(name="lane1", mode="default", language="sv"),
        terminal=TerminalConfig(
            address=ADDRESS,
            poi_id=POI_ID,
            sale_id="1",
            serial="",
            currency="SEK",
            connect_timeout=3.0,
            response_timeout=300.0,
            status_timeout=10.0,
            retry_interval=2.0,
        ),
        listener=ListenerConfig(bind="0.0.0.0:11000", allow=()),
        till=TillConfig(socket="/run/laned/till.sock", mode=None, group=""),
        payment=PaymentConfig(
            confirm="none",
            confirm_timeout=60.0,
            signature="decline",
            signature_timeout=60.0,
            max_amount="0",
        ),
        maintenance=MaintenanceConfig(window="03:00-04:30"),
        display=DisplayConfig(
            driver="ssd1306",
            interface="i2c",
            port=1,
            address=0x3C,
            width=128,
            height=64,
            rotate=0,
            language="",
            contrast=None,
            device=None,
            bus_speed_hz=None,
            gpio_dc=None,
            gpio_rst=None,
            dim_after=60.0,
            dim_contrast=8,
            off_after=3600.0,
            shift_every=600.0,
            texts={},
            icons={},
        ),
        buttons=ButtonsConfig(
            driver="gpio",
            confirm=ButtonConfig(pin=17, led=22, bounce_time=0.03),
            abort=ButtonConfig(pin=27, led=23, bounce_time=0.03),
            approve=None,
        ),
        journal=JournalConfig(
            path="/var/lib/laned/journal.sqlite3", keep_days=400, on_corrupt="stop"
        ),
    )


@pytest.mark.parametrize(
    "line",
    [
        'lane.name = "Självutcheckning 2"',
        'terminal.address = "auto"',
        'terminal.address = "terminal-1.shop.example:65535"',
        'terminal.address = "[fe80::15]:1"',
        'terminal.poi_id = "' + "P" * 32 + '"',
        "terminal.connect_timeout = 60",
        "terminal.retry_interval = 0.01",
        'listener.allow = ["10.0.0.1", "10.1.0.0/16", "fd00::/8"]',
        'till.mode = "0600"',
        'till.group = "pos-till"',
        'payment.max_amount = "999999999.99"',
        'maintenance.window = "23:30-00:30"',
        'maintenance.window = "04:30-03:00"',
        'maintenance.window = ""',
        "display.address = 0x77",
        "display.contrast = 255",
        'display.driver = "sh1106"',
        'display.language = "en"',
        'display = {interface = "spi", port = 0, device = 1, bus_speed_hz = 500_000, gpio_DC = 5}',
        "buttons.confirm.bounce_time = 0",
        "buttons.approve = {pin = 5, led = 6}",
        'buttons.confirm = {pin = 5, pull = "down", active = "low", led = 6, led_active = "low"}',
        'buttons.abort = {pin = 5, pull = "none", active = "high"}',
        "buttons.abort = {pin = 1, led = 0}",
        "journal.keep_days = 1",
    ],
)
def test_accepted(line: str) -> None:
    config = parse(replaced(line), "laned.toml", {})
    for table, values in tomllib.loads(line).items():
        for key, value in values.items():
            read_value = getattr(getattr(config, table), key.lower())
            assert plain(read_value, like=value) == value


def plain(value: object, like: object) -> object:
    """A value read, in the shape TOML gave it."""
    if isinstance(value, ButtonConfig) and isinstance(like, dict):
        return {key: getattr(value, key) for key in like}
    return list(value) if isinstance(value, tuple) else value


def test_whole_numbers_become_seconds() -> None:
    timeout = read("terminal.connect_timeout = 5").terminal.connect_timeout
    assert timeout == 5
    assert type(timeout) is float


def test_host_and_port() -> None:
    assert DEFAULTS.terminal.host_port == ("192.168.78.15", 11000)
    assert DEFAULTS.listener.host_port == ("0.0.0.0", 11000)
    assert ListenerConfig(bind="[::]:80").host_port == ("::", 80)
    assert TerminalConfig(address="auto", poi_id=POI_ID).host_port is None


def test_networks() -> None:
    assert DEFAULTS.listener.networks == ()
    allowed = read('listener.allow = ["10.0.0.1", "fd00::/8"]').listener.networks
    assert allowed == (ip_network("10.0.0.1/32"), ip_network("fd00::/8"))


def test_socket_access_is_known_to_be_given() -> None:
    assert DEFAULTS.till.permissions == 0o660
    assert not DEFAULTS.till.sets_access
    same = read('till.mode = "0660"').till
    assert same.permissions == 0o660
    assert same.sets_access
    assert read('till.mode = "600"').till.permissions == 0o600
    assert read('till.group = "till"').till.sets_access


def test_limit() -> None:
    assert DEFAULTS.payment.limit is None
    assert PaymentConfig(max_amount="0.00").limit is None
    assert read('payment.max_amount = "500.50"').payment.limit == Decimal("500.50")


def test_window_times() -> None:
    assert DEFAULTS.maintenance.times == (time(3), time(4, 30))
    assert MaintenanceConfig(window="23:30-01:00").times == (time(23, 30), time(1))
    assert MaintenanceConfig(window="").times is None


def test_texts_language_follows_the_lane() -> None:
    assert read('lane.language = "fi"').texts_language == "fi"
    assert read('lane.language = "fi"\ndisplay.language = "en"').texts_language == "en"


def test_every_currency_has_decimals() -> None:
    assert [decimals(currency) for currency in get_args(Currency)] == [2, 2, 2, 2]
    with pytest.raises(KeyError):
        decimals("USD")


def test_led_left_out_of_a_button_given() -> None:
    buttons = read("[buttons.confirm]", "pin = 5", "[buttons.abort]", "bounce_time = 0.05").buttons
    assert buttons.confirm == ButtonConfig(pin=5, led=None)
    assert buttons.abort == ButtonConfig(pin=27, led=None, bounce_time=0.05)


def test_named_buttons() -> None:
    assert list(DEFAULTS.buttons.named) == ["confirm", "abort"]
    with_approve = read("buttons.approve.pin = 5").buttons
    assert with_approve.named["approve"] == ButtonConfig(pin=5)
    pins = {name: button.pin for name, button in DEFAULTS.buttons.named.items()}
    assert pins == DEFAULT_BUTTON_PINS


@pytest.mark.parametrize(
    ("state_directory", "lines", "path"),
    [
        ("", [], "/var/lib/laned/journal.sqlite3"),
        ("/var/lib/laned/west", [], "/var/lib/laned/west/journal.sqlite3"),
        ("/srv/a:/srv/b", ["journal.keep_days = 9"], "/srv/a/journal.sqlite3"),
        ("/srv/a", ['journal.path = "/data/j.sqlite3"'], "/data/j.sqlite3"),
    ],
)
def test_journal_path(state_directory: str, lines: list[str], path: str) -> None:
    assert read(*lines, STATE_DIRECTORY=state_directory).journal.path == path


# -- What is refused ----------------------------------------------------------------------------

EXACT = {
    'terminal.currency = "USD"': '"USD" is not one of SEK, NOK, DKK, EUR',
    'display.language = "de"': '"de" is not one of "", en, sv, no, da, fi',
    'terminal.connect_timeout = "3"': '"3" is not a number of seconds from 0.01 to 60',
    "terminal.connect_timeout = true": "true is not a number of seconds from 0.01 to 60",
    "terminal.response_timeout = nan": "nan is not a number of seconds from 0.01 to 3600",
    "terminal.status_timeout = inf": "inf is not a number of seconds from 0.01 to 120",
    "terminal.retry_interval = 0": "0 is not a number of seconds from 0.01 to 30",
    'terminal.address = "192.168.78.15"': (
        '"192.168.78.15" is not "host:port" with a port from 1 to 65535 and brackets around an '
        'IPv6 address, or "auto"'
    ),
    'terminal.poi_id = ""': '"" is not an identifier of 1 to 32 printable ASCII characters',
    'listener.bind = "auto"': (
        '"auto" is not "host:port" with a port from 1 to 65535 and brackets around an IPv6 address'
    ),
    'listener.allow = "10.0.0.1"': (
        '"10.0.0.1" is not a list of at most 64 addresses or networks'
    ),
    "till.mode = 0o660": '432 is not an octal mode in quotes such as "0660"',
    "payment.max_amount = 500": (
        '500 is not an amount in quotes such as "500.00", or "0" for no limit'
    ),
    'maintenance.window = "03:00-03:59"': (
        '"03:00-03:59" is not "HH:MM-HH:MM" of at least 60 minutes, or "" for never'
    ),
    "display.address = 0": "0 is not an I2C address from 0x03 to 0x77",
    "display.rotate = 90": "90 is not a whole number from 0 to 3",
    "display.width = 128.0": "128.0 is not a number of pixels from 8 to 1024",
    "buttons.confirm = 17": "17 is not a table",
    "buttons.confirm.pin = 28": "28 is not a GPIO number from 0 to 27",
    "lane = []": "a list of 0 is not a table",
    "lane.name = {}": "a table is not a name of 1 to 64 letters, digits and - _ . or space",
    "journal.keep_days = 1979-05-27": "1979-05-27 is not a number of days from 1 to 36500",
    'payment.max_amount = "10.005"': '"10.005" has more than the 2 decimals of SEK',
    'display.gpio_DC = 24': 'allowed only with display.interface = "spi"',
    "buttons.abort.pin = 17": (
        "GPIO 17 is already used by buttons.confirm.pin; each may be used once"
    ),
    "buttons.approve.pin = 23": (
        "GPIO 23 is already used by buttons.abort.led; each may be used once"
    ),
    "terminal.conect_timeout = 3.0": 'unknown key; did you mean "connect_timeout"?',
    "lanes = 1": 'unknown key; did you mean "lane"?',
    "journal.zzz = 1": "unknown key; allowed here: path, keep_days, on_corrupt",
}  # fmt: skip


@pytest.mark.parametrize(("line", "problem"), EXACT.items())
def test_exact_words(line: str, problem: str) -> None:
    key = line.partition(" ")[0]
    assert findings(replaced(line)) == [f"laned.toml: {key}: {problem}"]


@pytest.mark.parametrize(
    "line",
    [
        'lane.name = " lane"',
        'lane.name = "a\\nb"',
        'lane.name = "' + "n" * 65 + '"',
        'lane.mode = "full"',
        'lane.language = "de"',
        'terminal.address = ":11000"',
        'terminal.address = "host:0"',
        'terminal.address = "host:65536"',
        'terminal.address = "host:011000"',
        'terminal.address = "host:११"',
        'terminal.address = "fe80::15:11000"',
        'terminal.address = "[192.168.78.15]:11000"',
        'terminal.address = "[fe80::15%eth0]:11000"',
        'terminal.address = "192.168.78.256:11000"',
        'terminal.address = "http://host:11000"',
        'terminal.address = "host/path:11000"',
        'terminal.address = "-host:11000"',
        'terminal.address = "' + "h." * 130 + 'h:11000"',
        'terminal.poi_id = "' + "P" * 33 + '"',
        'terminal.poi_id = "KASSA-Å"',
        'terminal.sale_id = ""',
        "terminal.sale_id = 1",
        'terminal.sale_id = "1\\n"',
        'terminal.serial = "' + "1" * 65 + '"',
        "terminal.connect_timeout = 60.1",
        "terminal.connect_timeout = -1",
        "terminal.response_timeout = 3601",
        "terminal.retry_interval = 31",
        f"terminal.retry_interval = {'9' * 400}",
        'till.socket = "till.sock"',
        'till.socket = "/run/laned/"',
        'till.socket = "/run/\\u0000"',
        'till.socket = "/' + "s" * 107 + '"',
        'till.mode = "0888"',
        'till.mode = "04755"',
        'till.group = "a b"',
        'payment.confirm = "till"',
        'payment.signature = "approve"',
        'payment.max_amount = "-1"',
        'payment.max_amount = "1e3"',
        'payment.max_amount = "NaN"',
        'payment.max_amount = "10,50"',
        'payment.max_amount = "1000000000"',
        'maintenance.window = "24:00-03:00"',
        'maintenance.window = "03:00-03:00"',
        'maintenance.window = "3:00-4:30"',
        'maintenance.window = "23:30-00:29"',
        "display.address = 120",
        "display.contrast = 256",
        "display.port = -1",
        "display.bus_speed_hz = 3",
        'display.driver = "SSD 1306"',
        "display.gpio_dc = 24",
        "buttons.abort.led = -1",
        'buttons.abort.led = "none"',
        "buttons.abort.bounce_time = 1.1",
        "journal.keep_days = 0",
        'journal.path = "journal.sqlite3"',
        'journal.on_corrupt = "delete"',
    ],
)
def test_refused_under_its_key(line: str) -> None:
    key = line.partition(" ")[0]
    (found,) = findings(replaced(line))
    assert found.startswith(f"laned.toml: {key}: ")


def test_what_must_be_given() -> None:
    assert findings("") == [
        'laned.toml: terminal.address: not given; must be "host:port" with a port from 1 to 65535 '
        'and brackets around an IPv6 address, or "auto"',
        "laned.toml: terminal.poi_id: not given; must be an identifier of 1 to 32 printable ASCII "
        "characters",
    ]
    assert findings(text("buttons.approve.led = 5")) == [
        "laned.toml: buttons.approve.pin: not given; must be a GPIO number from 0 to 27"
    ]


def test_each_bad_address_is_named() -> None:
    allow = '["10.0.0.1", "10.0.0.1/8", 7, "till"]'
    allowed = 'is not an IP address or a network such as "192.168.78.0/24"'
    assert findings(text(f"listener.allow = {allow}")) == [
        f'laned.toml: listener.allow[1]: "10.0.0.1/8" {allowed}',
        f"laned.toml: listener.allow[2]: 7 {allowed}",
        f'laned.toml: listener.allow[3]: "till" {allowed}',
    ]
    assert findings(text(f"listener.allow = {['10.0.0.1'] * 65}")) == [
        "laned.toml: listener.allow: a list of 65 is not a list of at most 64 addresses or networks"
    ]


def test_all_findings_at_once() -> None:
    document = text('lane.mode = "full"', "till.sokcet = 1", "journal.keep_days = 0")
    assert findings(document) == [
        'laned.toml: lane.mode: "full" is not one of default, light',
        'laned.toml: till.sokcet: unknown key; did you mean "socket"?',
        "laned.toml: journal.keep_days: 0 is not a number of days from 1 to 36500",
    ]


def test_findings_are_bounded() -> None:
    found = findings(text(*(f"lane.x{n} = 1" for n in range(MAX_FINDINGS + 5))))
    assert len(found) == MAX_FINDINGS + 1
    assert found[-1] == "and 5 more"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f'lane.name = "{"x" * 61}/"', f'"{"x" * 60}…"'),
        ('lane.name = "\\u001b[31m"', r"'\x1b[31m'"),
        ('lane.name = "\\u2028"', r"'\u2028'"),
        (f"journal.keep_days = {2**64}", "a number of more than 64 bits"),
        (f"journal.keep_days = 0x{'F' * 5000}", "a number of more than 64 bits"),
    ],
)
def test_values_are_shown_short_and_on_one_line(line: str, shown: str) -> None:
    key = line.partition(" ")[0]
    (found,) = findings(text(line))
    assert found.startswith(f"laned.toml: {key}: {shown} is not ")


def test_odd_keys_are_shown_on_one_line() -> None:
    (found,) = findings(text('lane."a\\nb" = 1'))
    assert found.startswith(r"laned.toml: lane.'a\nb': unknown key; ")


def test_syntax_error_keeps_its_place() -> None:
    (found,) = findings('[lane]\nname = "lane1\n')
    assert found.startswith("laned.toml: not valid TOML: ")
    assert "line 2, column " in found


def test_endless_nesting() -> None:
    assert findings("a = " + "[" * 50_000) == ["laned.toml: not valid TOML: nested too deeply"]


# -- Files --------------------------------------------------------------------------------------


def refused_file(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return str(caught.value)


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "laned.toml"
    path.write_bytes(b"\xef\xbb\xbf" + text().replace("\n", "\r\n").encode())
    expected = structs.replace(DEFAULTS, journal=JournalConfig(path="/srv/journal.sqlite3"))
    assert load(path, {"STATE_DIRECTORY": "/srv"}) == expected


def test_load_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "west.toml"
    path.write_text(text('lane.mode = "full"'))
    assert refused_file(path) == f'{path}: lane.mode: "full" is not one of default, light'


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "laned.toml"
    assert refused_file(path) == f"{path}: cannot be read: No such file or directory"
    assert refused_file(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


def test_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "laned.toml"
    path.write_bytes(b"[lane]\n# l\xe5da\n\n\n")
    expected = f"{path}: line 2: byte 0xE5 is not UTF-8; save the file as UTF-8"
    assert refused_file(path) == expected


def test_file_size(tmp_path: Path) -> None:
    path = tmp_path / "laned.toml"
    path.write_text((text() + "\n#").ljust(MAX_FILE_BYTES, "x"))
    assert load(path, {}) == DEFAULTS
    path.write_text((text() + "\n#").ljust(MAX_FILE_BYTES + 1, "x"))
    assert refused_file(path) == f"{path}: larger than 64 KiB"


# -- The file that is shipped ---------------------------------------------------------------------


def with_options(shipped: str) -> str:
    """The file with its optional keys and tables no longer commented out."""
    return re.sub(r"^# (?=\w+ = |\[)", "", shipped, flags=re.MULTILINE)


OF_ONES_OWN = ("display.texts", "display.icons")  # tables with any number for a key


def keys(document: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, dict) and prefix + key not in OF_ONES_OWN:
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def fields(kind: type[Struct], prefix: str = "") -> Iterator[str]:
    for entry in structs.fields(kind):
        tables = [each for each in (entry.type, *get_args(entry.type)) if isinstance(each, type)]
        below = next((each for each in tables if issubclass(each, Struct)), None)
        name = prefix + entry.encode_name
        yield from fields(below, f"{name}.") if below else [name]


def test_shipped_file_says_the_defaults() -> None:
    assert load(SHIPPED, {}) == DEFAULTS


def test_shipped_file_has_every_key() -> None:
    shipped = SHIPPED.read_text()
    named = {f"buttons.help.{key}" for key in ("action", "pin", "led")}
    every = {*fields(Config), *named} - {"buttons.till"}
    assert sorted(keys(tomllib.loads(with_options(shipped)))) == sorted(every)
    unset = every - named - set(keys(tomllib.loads(shipped)))
    assert unset == {
        "till.mode",
        "display.contrast",
        "display.device",
        "display.bus_speed_hz",
        "display.gpio_DC",
        "display.gpio_RST",
        "display.spi_mode",
        "display.transfer_size",
        "display.reset_hold_time",
        "display.reset_release_time",
        "display.page_address_offset",
        "display.h_offset",
        "display.v_offset",
        "display.texts",
        "display.icons",
        "buttons.confirm.active",
        "buttons.confirm.led_active",
        "buttons.abort.active",
        "buttons.abort.led_active",
        "buttons.approve.pin",
        "buttons.approve.led",
        "buttons.approve.bounce_time",
        "buttons.approve.pull",
        "buttons.approve.active",
        "buttons.approve.led_active",
        "journal.path",
    }


def test_shipped_options_are_right() -> None:
    spi = with_options(SHIPPED.read_text()).replace('interface = "i2c"', 'interface = "spi"')
    spi = re.sub(r"^.*# (sh1106|ssd1351) only.*$", "", spi, flags=re.MULTILINE)
    config = parse(spi, "laned.toml", {"STATE_DIRECTORY": "/elsewhere"})
    assert config.display.texts == {9202: "Tack!"}
    assert config.display.icons == {9202: "check"}
    assert config.till.mode == "0660"
    assert config.journal == DEFAULTS.journal
    assert config.buttons.approve == ButtonConfig(pin=5, led=6, active="low", led_active="high")
    assert not config.buttons.approve.pressed_high
    assert config.buttons.till == {"help": TillButtonConfig(pin=13, led=12, action="till")}
    assert config.display.bus_speed_hz == 8_000_000


def test_shipped_file_leaves_systemd_its_choices() -> None:
    config = load(SHIPPED, {"STATE_DIRECTORY": "/var/lib/laned/west"})
    assert config.journal.path == "/var/lib/laned/west/journal.sqlite3"
    assert not config.till.sets_access


def test_shipped_file_warns_about_lanes_without_staff() -> None:
    shipped = SHIPPED.read_text()
    header, payment = shipped.partition("[lane]")[0], shipped.partition("[payment]")[2]
    for part in (header, payment.partition("[maintenance]")[0]):
        assert 'TerminalEnvironment="Attended"' in part
        assert "Swedbank Pay" in part


@needs_shared
def test_the_contracts_own_example() -> None:
    block = re.search(r"```toml\n(.*?)```", (SHARED / "CONTRACT.md").read_text(), flags=re.DOTALL)
    assert block
    config = parse(block[1], "CONTRACT.md", {})
    assert config.till.mode == "0660"
    assert structs.replace(config, till=DEFAULTS.till) == DEFAULTS
