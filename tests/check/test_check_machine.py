"""Configuration, clock, disk, groups, the daemon, and the journal."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from boxes import NONE_RUNS, NOT_KNOWN, Machine, config, expect, hardware, lane, only, running
from msgspec.structs import replace

from laned.check import daemon, host, journal, settings
from laned.check.box import Box
from laned.check.daemon import Daemon
from laned.check.finding import Level, broken
from laned.config.schema import Config
from laned.journal.store import SCHEMA_VERSION, Journal
from laned.lane import effects as fx
from laned.system.single_instance import claims

OK, WARNING, BROKEN = Level
PATH = Path("/etc/laned/laned.toml")


def test_a_finding_is_one_line() -> None:
    text = str(broken("display", "two\nlines", "one\x1b[31m cure"))
    assert text == "broken   display        two lines; cure: one [31m cure"


# -- Configuration --------------------------------------------------------------------------------


def test_a_valid_configuration() -> None:
    expect(only(settings.check(config(), PATH, Box.here())), OK, "/etc/laned/laned.toml", "valid")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['maintenance.window = ""'], ("maintenance.window", "60 minutes")),
        (["buttons.approve.pin = 5"], ("buttons.approve", 'payment.signature = "decline"')),
        (['buttons.driver = "none"', 'payment.confirm = "button"'], ("only a till",)),
        (['buttons.driver = "none"', 'payment.signature = "button"'], ("declined",)),
    ],
)
def test_what_is_valid_and_hardly_meant(lines: list[str], words: tuple[str, ...]) -> None:
    first, second = settings.check(config(*lines), PATH, Box.here())
    expect(first, OK)
    expect(second, WARNING, *words)


# -- The machine ----------------------------------------------------------------------------------


def test_clock(machine: Machine) -> None:
    expect(host.clock(machine.box), OK)
    machine.clock_fault = "no time server keeps it"
    expect(host.clock(machine.box), WARNING, "not synchronised, no time server", "timedatectl")


def test_a_time_zone_that_is_none() -> None:
    expect(only(host.time_zone("Europa/Stockholm")), WARNING, "TZ=Europa/Stockholm", "CET-1CEST")
    for known in (None, "", "Europe/Stockholm", "CET-1CEST,M3.5.0,M10.5.0/3"):
        assert list(host.time_zone(known)) == []


@pytest.mark.parametrize(
    ("free", "level"),
    [
        (host.LITTLE_ROOM, OK),
        (host.LITTLE_ROOM - 1, WARNING),
        (host.NO_ROOM, WARNING),
        (host.NO_ROOM - 1, BROKEN),
        (0, BROKEN),
    ],
)
def test_disk(machine: Machine, free: int, level: Level) -> None:
    machine.free = free
    expect(host.disk(Path("/not/there/yet/journal"), machine.box), level, f"{free >> 20} MiB")


def test_groups(machine: Machine) -> None:
    assert list(host.groups(config(), machine.box)) == []
    machine.write("/etc/group", "gpio:x:986:")
    expect(only(host.groups(config(), machine.box)), WARNING, "no group i2c", "groupadd")
    assert list(host.groups(config('display.driver = "none"'), machine.box)) == []
    spi = config('display.interface = "spi"', 'buttons.driver = "none"')
    expect(only(host.groups(spi, machine.box)), WARNING, "no group spi")


# -- The daemon -----------------------------------------------------------------------------------


@pytest.fixture
def at(tmp_path: Path) -> Config:
    """A configuration whose journal and socket can be made."""
    return config(f'journal.path = "{tmp_path}/j"', f'till.socket = "{tmp_path}/s"')


def test_no_daemon(at: Config) -> None:
    assert daemon.look(at) == NONE_RUNS
    expect(only(daemon.check(at, NONE_RUNS)), OK, "none runs")
    Journal(Path(at.journal.path), 0).close()
    assert daemon.look(at) == NONE_RUNS


def test_a_daemon_that_does_not_answer(at: Config) -> None:
    """Its journal is locked, and the lock stays its own."""
    held = Journal(Path(at.journal.path), 0)
    found = daemon.look(at)
    assert (found.running, found.lane) == (True, None)
    assert found.holds
    expect(only(daemon.check(at, found)), BROKEN, "does not answer", f"{at.till.socket}")
    held.close()
    assert daemon.look(at) == NONE_RUNS


def test_a_daemon_of_which_nothing_can_be_told(tmp_path: Path) -> None:
    """As for a user who may not look into /var/lib/laned: root may always, a file is no folder."""
    (tmp_path / "file").touch()
    found = daemon.look(config(f'journal.path = "{tmp_path}/file/journal"'))
    assert found == NOT_KNOWN
    assert found.holds
    expect(only(daemon.check(config(), found)), WARNING, "cannot be told", "sudo")


def test_a_daemon_that_answers() -> None:
    expect(only(daemon.check(config(), running())), OK, "laned 1.2.3 runs")
    assert hardware(buttons="failing").health("buttons") == "failing"
    assert Daemon(True).health("buttons") == ""


def test_a_daemon_that_may_not_open_its_journal_is_found_by_its_claim(at: Config) -> None:
    """It holds no lock. Whoever may not look at that finds it too."""
    (Path(at.journal.path).parent / "file").touch()
    hidden = config(f'journal.path = "{Path(at.journal.path).parent}/file/journal"')
    with claims(at.terminal):
        assert daemon.look(at).running
        assert daemon.look(hidden).running
    assert daemon.look(at) == NONE_RUNS


# -- As the service -------------------------------------------------------------------------------


def as_service(at: Config, *lines: str, readable: bool = True) -> dict[str, list[str]]:
    """What root is told of a lane of the units, whose service is nobody's; by subject."""
    folder = Path(at.journal.path).parent
    path = folder / "laned.toml"
    path.write_text(
        f'till.socket = "{folder}/no/s"\nterminal.poi_id = "SERVICE"\n'
        'terminal.address = "127.0.0.1:9"\ndisplay.driver = "none"\nbuttons.driver = "none"\n'
        f'lane.mode = "light"\njournal.path = "{at.journal.path}"\n' + "\n".join(lines)
    )
    path.chmod(0o644 if readable else 0o600)
    code = (
        "import encodings.idna, sys; from pathlib import Path; import laned.check as check;"
        "path = Path(sys.argv[1]); check.SERVICE_USER = 'nobody';"
        "check.CONFIGURATIONS = path.parent; check.check(path, ask=False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("laned: broken"), done.stderr
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        found.setdefault(line[9:23].strip(), []).append(line)
    return found


@pytest.fixture
def theirs() -> Iterator[Config]:
    """As `at`, where other users may look."""
    folder = Path(tempfile.mkdtemp(prefix="laned-"))
    folder.chmod(0o755)
    yield config(f'journal.path = "{folder}/j"')
    shutil.rmtree(folder)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@needs_root
@pytest.mark.parametrize("part", ["", "-wal", ".lock"])
def test_a_journal_that_the_service_may_not_open_is_broken(theirs: Config, part: str) -> None:
    path = Path(theirs.journal.path)
    Journal(path, 0).close()
    one = path.with_name(path.name + part)
    one.touch()
    for each in (path.parent, *path.parent.iterdir()):
        shutil.chown(each, "nobody")
    (line,) = as_service(theirs)["journal"]
    assert "is whole" in line
    shutil.chown(one, "root")
    one.chmod(0o600)
    (line,) = as_service(theirs)["journal"]
    assert line.startswith("broken"), line
    assert f"{one} may not be read and written by nobody" in line
    assert f"sudo chown -R nobody: {path.parent}" in line


@needs_root
def test_a_configuration_that_the_service_may_not_read_is_broken(theirs: Config) -> None:
    (line,) = [
        one for one in as_service(theirs, readable=False)["configuration"] if "valid" not in one
    ]
    assert line.startswith("broken"), line
    assert "may not be read by nobody" in line
    assert "sudo chmod 644" in line


@needs_root
def test_what_systemd_makes_for_the_service_is_not_missed(theirs: Config) -> None:
    (line,) = as_service(theirs)["till socket"]
    assert "will be made by laned.socket" in line


def test_the_state_directory_is_systemds_to_make(machine: Machine) -> None:
    machine.write("/var/lib/x")
    usual = config()
    mine = replace(machine.box, may_use=lambda path: False)
    assert only(journal.check(usual, mine, NONE_RUNS)).level is BROKEN
    assert only(journal.check(usual, replace(mine, service=True), NONE_RUNS)).level is OK


# -- The journal ----------------------------------------------------------------------------------


def looked_at(at: Config) -> tuple[Level, str]:
    found = only(journal.check(at, Box.here(), daemon.look(at)))
    return found.level, str(found)


def test_journal_that_is_not_there_yet(at: Config) -> None:
    level, line = looked_at(at)
    assert level is OK
    assert "the first start makes it" in line
    assert not Path(at.journal.path).exists()


def test_whole_journal_is_left_as_it_is(at: Config) -> None:
    path = Path(at.journal.path)
    Journal(path, 0).close()
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    level, line = looked_at(at)
    assert (level, "is whole: 0 payments" in line) == (OK, True), line
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_journal_after_a_crash(at: Config) -> None:
    """What lies only in the write-ahead log counts."""
    path = Path(at.journal.path)
    Journal(path, 0).close()
    crash = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        'db.execute("INSERT INTO payments (id, fingerprint, content_hash, type, amount, currency,'
        " state, final, created_at, updated_at) VALUES ('a', '', '', 'payment', '1', 'SEK',"
        " 'processing', 0, '', '')\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", crash, str(path)], check=True)
    assert path.with_name("j-wal").stat().st_size
    level, line = looked_at(at)
    assert (level, "1 payments, one of them not finished" in line) == (WARNING, True), line


def test_lost_journal(at: Config) -> None:
    path = Path(at.journal.path)
    Journal(path, 0).close()
    path.unlink()
    level, line = looked_at(at)
    assert (level, "is lost" in line, "acknowledge-journal" in line) == (BROKEN, True, True), line


@pytest.mark.parametrize("damage", [b"no database at all", None])
def test_damaged_journal(at: Config, damage: bytes | None) -> None:
    path = Path(at.journal.path)
    Journal(path, 0).close()
    if damage is None:
        damage = path.read_bytes()[:4096] + b"\xff" * 8192
    path.write_bytes(damage)
    level, line = looked_at(at)
    assert (level, "damaged" in line, "aside" in line) == (BROKEN, True, True), line


def test_journal_of_a_newer_laned(at: Config) -> None:
    path = Path(at.journal.path)
    Journal(path, 0).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    level, line = looked_at(at)
    assert (level, "newer laned" in line) == (BROKEN, True), line


def test_journal_in_use(at: Config) -> None:
    held = Journal(Path(at.journal.path), 0)
    level, line = looked_at(at)
    assert (level, "in use by the daemon" in line) == (OK, True)
    held.close()


def test_a_journal_that_cannot_be_made(at: Config) -> None:
    box = replace(Box.here(), may_use=lambda path: False)
    found = only(journal.check(at, box, NONE_RUNS))
    expect(found, BROKEN, "cannot be made by", "journal.path")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("full", "make room"),
        ("read_only", "writable"),
        ("corrupt", "aside"),
        ("new", "acknowledge-journal"),
    ],
)
def test_what_the_daemon_says_of_its_journal(at: Config, said: str, words: str) -> None:
    expect(
        only(journal.check(at, Box.here(), Daemon(True, lane(journal=said)))), BROKEN, said, words
    )
    expect(only(journal.check(at, Box.here(), running())), OK, "in use by the daemon")
    assert list(journal.check(at, Box.here(), NOT_KNOWN)) == []


def test_address_that_was_learnt(at: Config) -> None:
    assert journal.learnt_address(at, NONE_RUNS) == ""
    held = Journal(Path(at.journal.path), 0)
    assert journal.learnt_address(at, daemon.look(at)) == ""
    held.write([fx.TerminalSeen("10.0.0.7:11000", "serial", at.terminal.address)])
    held.close()
    assert journal.learnt_address(at, NONE_RUNS) == "10.0.0.7:11000"
    other = config(f'journal.path = "{at.journal.path}"', 'terminal.address = "auto"')
    assert journal.learnt_address(other, NONE_RUNS) == "", "the file has named another since"
    assert journal.learnt_address(at, running()) == "127.0.0.1:9"
    Path(at.journal.path).write_bytes(b"no database at all")
    assert journal.learnt_address(at, NONE_RUNS) == ""
