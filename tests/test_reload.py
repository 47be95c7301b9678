"""What a configuration that is read again changes, and what it cannot."""

import pytest

from laned.config.file import parse
from laned.config.reload import RELOADABLE, reloaded
from laned.config.schema import Config

BASE = '[terminal]\naddress = "192.0.2.1:11000"\npoi_id = "A"\n'


def config(*lines: str) -> Config:
    """The base configuration and these further lines."""
    return parse(BASE + "\n".join(lines), "laned.toml", {})


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (["[payment]", 'signature = "till"'], "payment.signature"),
        (["[maintenance]", 'window = ""'], "maintenance.window"),
        (["[listener]", 'allow = ["192.0.2.0/24"]'], "listener.allow"),
        (["[lane]", 'language = "fi"'], "lane.language"),
        (["retry_interval = 3.0"], "terminal.retry_interval"),
    ],
)
def test_what_takes_effect_at_once(lines: list[str], key: str) -> None:
    running, read = config(), config(*lines)
    assert reloaded(running, read) == (read, [key], [])


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (["[lane]", 'mode = "light"'], "lane.mode"),
        (["[listener]", 'bind = "0.0.0.0:12000"'], "listener.bind"),
        (["[till]", 'socket = "/run/other.sock"'], "till.socket"),
        (["[buttons.abort]", "pin = 5"], "buttons.abort"),
        (["[display]", "height = 32"], "display.height"),
        (["[journal]", "keep_days = 7"], "journal.keep_days"),
        (['sale_id = "2"'], "terminal.sale_id"),
        (['serial = "77"'], "terminal.serial"),  # the session may be another terminal's
        (["connect_timeout = 1.0"], "terminal.connect_timeout"),
    ],
)
def test_what_needs_a_restart_stays_as_it_was(lines: list[str], key: str) -> None:
    running = config()
    assert reloaded(running, config(*lines)) == (running, [], [key])


def test_both_at_once() -> None:
    read = config("[display]", "height = 32", 'language = "en"', "[payment]", 'max_amount = "9"')
    merged, changed, later = reloaded(config(), read)
    assert changed == ["payment.max_amount", "display.language"]
    assert later == ["display.height"]
    assert (merged.display.height, merged.display.language) == (64, "en")
    assert merged.payment == read.payment


def test_every_name_is_a_key_or_a_table() -> None:
    running = config()
    for name in RELOADABLE:
        table, _, key = name.partition(".")
        assert hasattr(getattr(running, table), key or "__struct_fields__")


def test_who_approves_signatures_does_not_change_without_the_button_for_it() -> None:
    """The attendant's button is opened at the next start; until then customers would approve."""
    read = config("[payment]", 'signature = "button"', "[buttons.approve]", "pin = 5")
    merged, _, later = reloaded(config(), read)
    assert "buttons.approve" in later
    assert merged.payment.signature != "button" or merged.buttons.approve is not None


def test_nobody_has_to_press_a_button_that_is_not_opened_yet() -> None:
    running = config("[buttons]", 'driver = "none"')
    read = config("[payment]", 'confirm = "button"', "[buttons]", 'driver = "gpio"')
    merged, _, _ = reloaded(running, read)
    assert merged.payment.confirm != "button" or merged.buttons.driver != "none"
