"""The wall clock: time zones as TZ may name them, and what is said of one that is not right."""

import logging
import os
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from laned.lane.maintenance import window
from laned.system import clock
from laned.system.clock import GRACE, LOOK_AGAIN, TELL_AGAIN, Clock, tell_of_clock, zone

RULES = "CET-1CEST,M3.5.0,M10.5.0/3"
CHANGES = {
    "before summer": ("2026-03-29T00:59:59", "01:59:59+0100"),
    "summer": ("2026-03-29T01:00:00", "03:00:00+0200"),
    "before winter": ("2026-10-25T00:59:59", "02:59:59+0200"),
    "winter": ("2026-10-25T01:00:00", "02:00:00+0100"),
    "another year": ("2031-07-01T12:00:00", "14:00:00+0200"),
}


def known(name: str | None) -> tzinfo:
    found = zone(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["Europe/Stockholm", ":Europe/Stockholm", RULES, f":{RULES}"])
@pytest.mark.parametrize("change", CHANGES)
def test_summer_and_winter_come_when_they_should(name: str, change: str) -> None:
    utc, local = CHANGES[change]
    told = datetime.fromisoformat(utc).replace(tzinfo=UTC).astimezone(known(name))
    assert f"{told:%H:%M:%S%z}" == local


@pytest.mark.parametrize(
    ("day", "begins"),
    [
        ("2026-03-28", "2026-03-28T02:30"),
        ("2026-03-29", "2026-03-29T01:30"),  # 02:30 is skipped
        ("2026-03-30", "2026-03-30T00:30"),
        ("2026-10-24", "2026-10-24T00:30"),
        ("2026-10-25", "2026-10-25T00:30"),  # 02:30 comes twice: the first
        ("2026-10-26", "2026-10-26T01:30"),
    ],
)
def test_the_nightly_window_over_both_changes_of_the_hour(day: str, begins: str) -> None:
    at = time.fromisoformat("03:30") if day == "2026-03-28" else time.fromisoformat("02:30")
    morning = datetime.fromisoformat(day).replace(hour=0, tzinfo=known(RULES))
    begin, end = window(morning, (at, time.fromisoformat("05:00")))
    assert begin == datetime.fromisoformat(begins).replace(tzinfo=UTC)
    assert end - begin >= timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("UTC0", 0),
        ("", 0),
        ("CET-1", 1),
        ("<+03>-3", 3),
        ("CET-1CEST", 2),  # the usual rules
        ("AEST-10AEDT,M10.1.0,M4.1.0/3", 10),
        ("/usr/share/zoneinfo/Europe/Stockholm", 2),
    ],
)
def test_other_zones_in_july(name: str, offset: int) -> None:
    if name.startswith("/") and not Path(name).exists():
        pytest.skip("this machine has no time zones' files")
    july = datetime(2026, 7, 1, 12, tzinfo=known(name))
    assert july.utcoffset() == timedelta(hours=offset)


@pytest.mark.parametrize(
    "name", ["Mars/Phobos", "CET-1CEST,M3.5.0", "nonsense", "\u00e5", "../x", "/etc/hostname", "/x"]
)
def test_what_is_no_zone(name: str) -> None:
    assert zone(name) is None


def test_a_zone_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock.local_zone.cache_clear()
    monkeypatch.setenv("TZ", "Mars/Phobos")
    assert clock.local_zone() is UTC
    assert "TZ=Mars/Phobos" in caplog.text
    clock.local_zone.cache_clear()


# -- Whether it is right


@pytest.mark.parametrize(
    ("state", "words"), [(0, ""), (4, ""), (5, "no time server"), (-1, "cannot be read")]
)
def test_what_the_kernel_says(
    state: int, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Kernel:
        def adjtimex(self, timex: Any) -> int:
            assert bytes(timex) == bytes(len(timex)), "only read"
            return state

    monkeypatch.setattr(clock, "_libc", Kernel)
    monkeypatch.setattr(clock, "TIMESYNCD", tmp_path / "synchronized")
    assert words in clock.clock_fault()
    assert bool(words) == bool(clock.clock_fault())
    assert clock.clock_synchronised() is Clock().synchronised is not bool(words)
    (tmp_path / "synchronized").touch()
    assert clock.clock_fault() == ""


async def test_the_log_says_that_the_window_is_ignored_and_why(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found = "no time server keeps it"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_of_clock, lambda: "03:00-04:30", lambda: found)
        await trio.sleep(GRACE - 1)
        assert caplog.text == ""
        await trio.sleep(1 + LOOK_AGAIN)
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        for words in (found, "maintenance.window 03:00-04:30 is ignored", "after 24 h"):
            assert words in record.getMessage()
        await trio.sleep(TELL_AGAIN - 3 * LOOK_AGAIN)
        assert len(caplog.records) == 1
        await trio.sleep(3 * LOOK_AGAIN)
        assert len(caplog.records) == 2
        found = ""
    assert caplog.records[-1].getMessage() == "the clock is synchronised now"


async def test_a_clock_that_is_right_soon_is_no_news(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    faults = ["no time server keeps it"] * 3 + [""]
    await tell_of_clock(lambda: "", lambda: faults.pop(0))
    assert caplog.text == ""


def test_this_machines_kernel_can_be_asked() -> None:
    assert os.strerror(1) not in clock.clock_fault()
