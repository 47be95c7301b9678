"""Listening: permissions, live and dead sockets in the way, passed sockets, who connects."""

import grp
import os
import re
import socket
import stat
from pathlib import Path

import pytest
import trio
from msgspec import json
from serving import Site, habits, request, whoami

from laned.http.listen import from_fd, is_ours, listen_tcp, listen_unix, split_bind
from laned.http.serve import serve


@pytest.mark.parametrize(
    ("bind", "parts"),
    [
        ("0.0.0.0:11000", ("0.0.0.0", 11000)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_split_bind(bind: str, parts: tuple[str, int]) -> None:
    assert split_bind(bind) == parts


@pytest.mark.parametrize("bind", ["", "x", "x:", ":1", "x:-1", "x:65536", "::1:80", "[x]:1", "x:١"])
def test_split_bind_says_what_is_expected(bind: str) -> None:
    with pytest.raises(ValueError, match=r"expected \"host:port\""):
        split_bind(bind)


@pytest.mark.parametrize("host", ["203.0.113.9", "[2001:db8::9]"])
async def test_an_address_can_be_listened_on_before_it_is_ours(host: str) -> None:
    assert not is_ours(host.strip("[]"))
    [listener] = await listen_tcp(f"{host}:0", before_it_is_ours=True)
    async with listener:
        port = listener.socket.getsockname()[1]
        with pytest.raises(OSError, match=re.escape(f"{host}:{port}: Address already in use")):
            await listen_tcp(f"{host}:{port}", before_it_is_ours=True)


def test_addresses_that_are_ours() -> None:
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):
        assert is_ours(host)


async def test_listen_tcp_names_the_address_it_cannot_have() -> None:
    [first] = await listen_tcp("127.0.0.1:0")
    port = first.socket.getsockname()[1]
    with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*in use") as caught:
        await listen_tcp(f"127.0.0.1:{port}")
    assert caught.value.errno is not None
    await first.aclose()
    with pytest.raises(OSError, match=r"cannot listen on 203\.0\.113\.9:1"):
        await listen_tcp("203.0.113.9:1")


async def test_a_unix_socket_has_its_mode_and_group_and_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "till.sock"
    umask = os.umask(0o077)
    try:
        group = grp.getgrgid(os.getgid()).gr_name
        listener = listen_unix(path, 0o666, group)
    finally:
        os.umask(umask)
    found = path.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o666
    assert found.st_gid == os.getgid()
    assert not os.get_inheritable(listener.socket.fileno())
    await listener.aclose()
    assert not path.exists()


async def test_an_unknown_group_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "till.sock"
    with pytest.raises(OSError, match=r"till\.sock: till.group: there is no group 'no-such-group'"):
        listen_unix(path, 0o660, "no-such-group")
    assert not path.exists()


async def test_a_live_socket_is_never_stolen(tmp_path: Path) -> None:
    async with habits("unix", tmp_path) as site:
        for _ in range(3):
            with pytest.raises(OSError, match=r"test\.sock: another process listens there"):
                listen_unix(tmp_path / "test.sock", 0o600)
        assert b" 200 " in await site.get()


async def test_a_live_socket_with_a_full_backlog_is_live(tmp_path: Path) -> None:
    path = tmp_path / "busy.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as client:
        busy.bind(str(path))
        busy.listen(0)
        client.connect(str(path))
        with pytest.raises(OSError, match="another process listens there"):
            listen_unix(path, 0o600)
    assert path.exists()


async def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = listen_unix(path, 0o600)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    await listener.aclose()


async def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(OSError, match=r"notes\.txt: something that is not a socket is in the way"):
        listen_unix(path, 0o600)
    assert path.read_text() == "mine"


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cannot listen on .*nowhere/x\.sock: No such"):
        listen_unix(tmp_path / "nowhere" / "x.sock", 0o600)


async def test_a_socket_that_took_our_place_stays(tmp_path: Path) -> None:
    path = tmp_path / "till.sock"
    ours = listen_unix(path, 0o600)
    path.rename(tmp_path / "aside")
    theirs = listen_unix(path, 0o600)
    await ours.aclose()
    assert path.exists()
    await theirs.aclose()
    assert not path.exists()


async def test_a_passed_socket_is_adopted_and_not_inherited(tmp_path: Path) -> None:
    passed = socket.create_server(("127.0.0.1", 0))
    os.set_inheritable(passed.fileno(), True)
    listener = from_fd(passed.detach())
    assert not os.get_inheritable(listener.socket.fileno())
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: serve(whoami, [listener], stop=stop, task_status=task_status)
        )
        assert b" 200 " in await Site(listener, stop, stop).get()
        stop.set()


async def test_what_is_not_a_listening_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket() as idle, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        for sock in (idle, datagram):
            with pytest.raises(OSError, match=f"descriptor {sock.fileno()}: not a listening"):
                from_fd(sock.fileno())
    with (tmp_path / "file").open("w") as file, pytest.raises(OSError, match="descriptor"):
        from_fd(file.fileno())


async def test_a_unix_peer_has_credentials(tmp_path: Path) -> None:
    async with habits("unix", tmp_path) as site:
        seen = json.decode((await site.get("/whoami")).partition(b"\r\n\r\n")[2])
    peer = {"pid": os.getpid(), "uid": os.getuid(), "gid": os.getgid()}
    assert seen == {"client": None, "peer": peer, "type": "http"}


async def test_a_tcp_peer_has_an_address(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site, await site.connect() as stream:
        await stream.send_all(request("GET", "/whoami"))
        answer = b"".join([data async for data in stream])
        local = stream.socket.getsockname()
    seen = json.decode(answer.partition(b"\r\n\r\n")[2])
    assert seen == {"client": list(local), "peer": None, "type": "http"}


async def test_an_ipv4_peer_of_a_dual_stack_socket_has_its_ipv4_address() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no dual-stack sockets here")
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    listener = from_fd(both.detach())
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: serve(whoami, [listener], stop=stop, task_status=task_status)
        )
        async with await trio.open_tcp_stream(
            "127.0.0.1", listener.socket.getsockname()[1]
        ) as stream:
            await stream.send_all(request("GET", "/whoami"))
            answer = b"".join([data async for data in stream])
        stop.set()
    assert b'"client":["127.0.0.1",' in answer
