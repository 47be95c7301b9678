"""The till's socket, the listener, and the terminal."""

import errno
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from boxes import NONE_RUNS, NOT_KNOWN, Machine, config, expect, only, running

from laned.check import sockets, terminal
from laned.check.daemon import Daemon
from laned.check.finding import Finding, Level
from laned.check.network import routes, way_to

OK, WARNING, BROKEN = Level
SILENT = Daemon(True, silence="no such file")
SHOP = (
    ("eth0", "0.0.0.0", "192.168.1.1", "0.0.0.0"),
    ("eth0", "192.168.1.0", "0.0.0.0", "255.255.255.0"),
    ("wlan0", "10.0.0.0", "0.0.0.0", "255.128.0.0"),
)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


# -- The till's socket ----------------------------------------------------------------------------


def till(machine: Machine, daemon: Daemon, *lines: str) -> list[Finding]:
    return list(sockets.check_till(config('till.socket = "/run/s"', *lines), machine.box, daemon))


def test_socket_that_will_be_made(machine: Machine) -> None:
    expect(only(till(machine, NONE_RUNS)), OK, "will be made")
    machine.write("/run/s", "no socket")
    expect(only(till(machine, NONE_RUNS)), BROKEN, "no socket", "rm /run/s")


def test_socket_in_a_folder_of_somebody_else(machine: Machine) -> None:
    (machine.root / "run").mkdir()
    machine.forbidden.add("run")
    expect(only(till(machine, NONE_RUNS)), WARNING, "cannot be made by pi", "laned.socket")


def test_socket_of_systemd_is_not_connected_to(machine: Machine) -> None:
    """It would start the daemon: the kernel's list says that somebody listens."""
    machine.write(
        "/proc/net/unix",
        "Num       RefCount Protocol Flags    Type St Inode Path",
        "00000000e502745b: 00000003 00000000 00000000 0001 03   118",
        "00000000b31c2cf5: 00000002 00000000 00010000 0001 01 20001 /run/s",
    )
    expect(only(till(machine, NONE_RUNS)), OK, "/run/s", "systemd")
    expect(only(till(machine, NONE_RUNS, 'till.mode = "0600"')), BROKEN, "SocketMode=")
    expect(only(till(machine, NOT_KNOWN, 'till.mode = "0600"')), OK, "is listened on")
    machine.write("/proc/net/unix", "", "0: 00000002 00000000 00000000 0001 01 20001 /run/s")
    expect(only(till(machine, NONE_RUNS)), OK, "will be made")


def test_group_of_the_socket(machine: Machine) -> None:
    first, _ = till(machine, NONE_RUNS, 'till.group = "till"')
    expect(first, BROKEN, 'till.group = "till"', "groupadd --system till")
    expect(only(till(machine, NONE_RUNS, 'till.group = "kassa"')), OK)


def test_socket_of_the_daemon(machine: Machine) -> None:
    expect(only(till(machine, running())), OK, "the daemon answers")
    machine.write("/run/s")
    (machine.root / "run/s").chmod(0o660)
    expect(only(till(machine, running())), OK, "mode 0660")


def test_socket_that_is_not_for_us(machine: Machine) -> None:
    machine.write("/run/s")
    gid = (machine.root / "run/s").stat().st_gid
    machine.write("/etc/group", f"kassa:x:{gid}:")
    assert till(machine, SILENT) == []
    machine.forbidden.add("run/s")
    expect(only(till(machine, SILENT)), BROKEN, "not for pi", "usermod -aG kassa pi")


# -- The listener ---------------------------------------------------------------------------------


def listener(daemon: Daemon, *lines: str) -> list[Finding]:
    return list(sockets.check_listener(config(*lines), daemon))


def test_port_that_is_free() -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = port_of(probe)
    first, second = listener(NONE_RUNS, f'listener.bind = "127.0.0.1:{port}"')
    expect(first, OK, f"127.0.0.1:{port} is free")
    expect(second, OK, f"must be 127.0.0.1:{port}")


def test_port_that_is_taken(listening: socket.socket) -> None:
    line = f'listener.bind = "127.0.0.1:{port_of(listening)}"'
    expect(listener(NONE_RUNS, line)[0], BROKEN, "in use", f"sport = :{port_of(listening)}")
    expect(listener(running(), line)[0], OK, "left to the daemon")
    expect(listener(NOT_KNOWN, line)[0], WARNING, "perhaps by the daemon")


def test_address_that_is_not_ours() -> None:
    found, other = listener(NONE_RUNS, 'listener.bind = "192.0.2.77:11000"')
    expect(found, BROKEN, "192.0.2.77:11000", "ip address")
    expect(other, WARNING, "only 192.0.2.77", "127.0.0.1 for the terminal", "0.0.0.0:11000")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "below 1024"), (errno.EAFNOSUPPORT, "0.0.0.0:80")],
)
def test_other_errors_of_the_listener(number: int, words: str) -> None:
    assert words in sockets._listener_cure(OSError(number, ""), 80)


def test_listener_is_not_used_in_light_mode() -> None:
    expect(only(listener(NONE_RUNS, 'lane.mode = "light"')), OK, "not used")


# -- The terminal ---------------------------------------------------------------------------------


def test_terminal_that_listens(machine: Machine, listening: socket.socket) -> None:
    lines = [f'terminal.address = "127.0.0.1:{port_of(listening)}"']
    machine.networks(*SHOP)
    found = only(terminal.check(config(*lines), machine.box, NONE_RUNS))
    expect(found, OK, "can be connected to", "from 127.0.0.1")
    connection, _ = listening.accept()
    with connection:
        assert connection.recv(1) == b"", "nothing is sent to it"


def test_terminal_that_refuses(machine: Machine) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = port_of(probe)
    at = config(f'terminal.address = "127.0.0.1:{port}"')
    found = only(terminal.check(at, machine.box, NONE_RUNS))
    expect(found, BROKEN, "refuses", "port of its menu")


def test_terminal_whose_address_was_learnt(machine: Machine, listening: socket.socket) -> None:
    learnt = f"127.0.0.1:{port_of(listening)}"
    for named in ("auto", "127.0.0.1:9"):
        at = config(f'terminal.address = "{named}"')
        expect(only(terminal.check(at, machine.box, NONE_RUNS, learnt)), OK, learnt)


def test_terminal_without_an_address_yet(machine: Machine) -> None:
    found = only(terminal.check(config('terminal.address = "auto"'), machine.box, NONE_RUNS))
    expect(found, WARNING, '"auto"', "laned learn", "Save")


def test_terminal_that_the_daemon_has(machine: Machine, listening: socket.socket) -> None:
    """Its session is not disturbed by as much as a connection."""
    at = config(f'terminal.address = "127.0.0.1:{port_of(listening)}"')
    expect(only(terminal.check(at, machine.box, running())), OK, "the daemon says ready")
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):
        listening.accept()
    offline = running(session={"state": "offline", "reason": "unreachable", "terminal": {}})
    first, second = terminal.check(at, machine.box, offline)
    expect(first, WARNING, "offline: unreachable")
    expect(second, OK, "can be connected to")
    by_hand = running(session={"state": "logged_out", "reason": "", "terminal": {}})
    first, second = terminal.check(at, machine.box, by_hand)
    expect(first, WARNING, "logged_out", "laned login")
    expect(second, OK, "can be connected to")


@pytest.mark.parametrize(
    ("error", "host", "said", "helps"),
    [
        (TimeoutError(), "192.168.1.15", "no answer within 3 s", "192.168.1.0/24 (eth0)"),
        (TimeoutError(), "192.168.78.15", "no answer", "router 192.168.1.1"),
        (ConnectionRefusedError(111, "x"), "10.1.2.3", "refuses", "payment application"),
        (socket.gaierror(-2, "unknown"), "terminal", "no address", "name server"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "10.1.2.3", "no route", "is it on"),
    ],
)
def test_what_helps(machine: Machine, error: OSError, host: str, said: str, helps: str) -> None:
    machine.networks(*SHOP)
    assert said in terminal.reason(error, 3.0)
    assert helps in terminal.cure(error, host, machine.box)


def test_no_way_to_the_terminal(machine: Machine) -> None:
    machine.networks(*SHOP[1:])
    error = OSError(errno.ENETUNREACH, "Network is unreachable")
    found = terminal.cure(error, "192.168.78.15", machine.box)
    assert "no way" in found
    assert "192.168.1.0/24 (eth0), 10.0.0.0/9 (wlan0)" in found
    machine.networks()
    assert "it has none" in terminal.cure(error, "192.168.78.15", machine.box)


def test_routes(machine: Machine) -> None:
    machine.networks(*SHOP)
    assert [str(route.network) for route in routes(machine.box)] == [
        "0.0.0.0/0",
        "192.168.1.0/24",
        "10.0.0.0/9",
    ]
    for address, interface, gateway in (
        ("192.168.1.9", "eth0", "None"),
        ("10.127.0.1", "wlan0", "None"),
        ("10.128.0.1", "eth0", "192.168.1.1"),
    ):
        way = way_to(address, machine.box)
        assert way is not None
        assert (way.interface, str(way.gateway)) == (interface, gateway)
    assert way_to("fe80::1", machine.box) is None
    assert way_to("127.0.0.1", machine.box) is None
    machine.write("/proc/net/route", "header", "eth0 zz zz", "", "eth0")
    assert list(routes(machine.box)) == []


def test_the_kernels_own_table_can_be_read() -> None:
    from laned.check.box import Box

    if not Path("/proc/net/route").exists():
        pytest.skip("no IPv4 here")
    lines = Path("/proc/net/route").read_text().splitlines()
    assert len(list(routes(Box.here()))) == len(lines) - 1
