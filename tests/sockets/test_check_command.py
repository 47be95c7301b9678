"""`laned check` as a command: its exit status, and that a running daemon is not disturbed."""

from typing import Any

from processes import Process, Site, free_port, site, until


def check(lane: Site, *arguments: str, **changes: Any) -> tuple[int, Process]:
    path = lane.configure(**changes)
    process = lane.start("check", "--config", str(path), *arguments)
    return process.ended(), process


def levels(process: Process) -> dict[str, list[str]]:
    """The levels of each subject's findings."""
    found: dict[str, list[str]] = {}
    for line in process.out.splitlines():
        found.setdefault(line[9:23].strip(), []).append(line[:8].strip())
    return found


def test_a_lane_whose_terminal_is_off() -> None:
    with site() as lane:
        status, done = check(lane)
        assert status == 1, done.err
        assert "broken   terminal" in done.out
        assert "refuses the connection; cure: " in done.out
        assert 'maintenance.window = ""' in done.out
        found = levels(done)
        assert done.err == f"laned: broken: 1 of {sum(map(len, found.values()))} findings\n"
        assert set(found) == {
            "configuration",
            "clock",
            "disk",
            "daemon",
            "journal",
            "till socket",
            "listener",
            "terminal",
            "display",
            "buttons",
        }
        left = {path.name for path in lane.folder.iterdir()}
        assert left == {"laned.toml", "0-check.out", "0-check.err"}, "it makes no files"


def test_a_lane_that_can_be_started() -> None:
    with site("happy", run=False) as lane:
        status, done = check(lane, "--press")
        assert (status, done.err) == (0, ""), done.out
        assert "broken" not in done.out


def test_a_running_daemon_is_not_disturbed() -> None:
    with site("happy") as lane:
        before, log = lane.lane(), lane.daemon.err
        status, done = check(lane, "--press")
        assert (status, done.err) == (0, ""), done.out
        found = levels(done)
        for subject in ("daemon", "journal", "till socket", "listener", "terminal"):
            assert set(found[subject]) == {"ok"}, done.out
        assert f"laned {before['version']} runs this lane" in done.out
        assert "the daemon says ready" in done.out
        assert lane.daemon.running
        assert lane.lane() == before
        assert lane.daemon.err == log
        assert lane.command("pay", "38.00").status == 0


def test_another_program_has_the_port() -> None:
    with site("happy") as lane:
        journal = str(lane.folder / "other.sqlite3")
        other = str(lane.folder / "other.sock")
        theirs = {"journal": {"path": journal}, "till": {"socket": other}}
        theirs |= {"terminal": {"poi_id": "OTHER", "address": f"127.0.0.1:{free_port()}"}}
        status, done = check(lane, name="o.toml", **theirs)
        assert status == 1
        assert levels(done)["listener"][0] == "broken"
        assert f"sport = :{lane.listener_port}" in done.out
        assert lane.lane()["session"]["state"] == "ready"


def test_an_invalid_configuration() -> None:
    """Every finding, however many; nothing else is looked at."""
    with site() as lane:
        wrong = {f"x{number}": 1 for number in range(30)}
        status, done = check(lane, journal=wrong, terminal={"currency": "USD"})
        assert status == 2
        assert levels(done) == {"configuration": ["broken"] * 31}
        assert 'terminal.currency: "USD" is not one of SEK, NOK, DKK, EUR' in done.out
        assert done.err == "laned: the configuration is invalid, nothing else was checked\n"


def test_no_configuration() -> None:
    with site() as lane:
        done = lane.start("check", "--config", str(lane.folder / "nothing.toml"))
        assert done.ended() == 2
        assert "nothing.toml: cannot be read: No such file or directory; cure: name it" in done.out


def test_a_daemon_that_may_not_open_its_journal_is_asked() -> None:
    """It holds no lock: yet nothing else has the listener's port, and its journal is not whole."""
    with site("happy", run=False) as lane:
        (lane.folder / "j").touch()
        broken = {"path": str(lane.folder / "j" / "journal.sqlite3")}
        lane.run(ready=False, journal=broken)
        until(lambda: lane.lane().get("journal") == "read_only", "the daemon")
        status, done = check(lane, journal=broken)
        assert status == 1
        found = levels(done)
        assert found["daemon"] == found["till socket"] == ["ok"], done.out
        assert found["listener"] == ["ok", "ok"], done.out
        assert found["journal"] == ["broken"], done.out
        assert "the daemon says read_only" in done.out
