"""Whether a peer is gone, or has only said all that it had to say.

Both end the stream that we receive. A peer that has shut its sending side after a whole request
(`nc -N`, socat, a JDK's `shutdownOutput`) reads on, and its answer may be a payment's. Measured on
Linux 6, as poll tells it after the stream's end:

==================================  =================  ==========================================
the peer                            unix socket        TCP
==================================  =================  ==========================================
shut its sending side               no HUP; takes all  no HUP; takes all
closed, its process ended           HUP at once        no HUP; HUP and ERR after our first bytes,
                                                       which the second write is told
closed with bytes unread, reset     HUP at once        HUP and ERR at once
closed, and we write nothing        HUP at once        HUP and ERR after 61 s: its system answers
                                                       keep-alive probes for the 60 s of
                                                       tcp_fin_timeout, and resets the next
lost its power or its cable         cannot             ERR after KEEP_ALIVE's probes
==================================  =================  ==========================================

So HUP and ERR say "gone", and the stream's end alone says nothing. On a unix socket that is exact.
On TCP a peer that closed in good order counts as one that listens until something is written to it,
or for that minute: an answer to nobody does no harm, one that is withheld does.
"""

import select
import socket

import trio

KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""For TCP connections: a peer that lost its power is gone after 50 s, also if it is only heard."""


def watch_for_silence(sock: trio.socket.SocketType) -> None:
    """Have a TCP peer probed that is silent for long; the kernel does it, and wakes nobody."""
    if sock.family != socket.AF_UNIX:
        for option in KEEP_ALIVE:
            sock.setsockopt(*option)


async def gone(sock: trio.socket.SocketType) -> None:
    """Return when the peer of a connected socket can neither send nor receive any more."""
    # trio waits for "readable" and "writable", and after the stream's end both are always true. An
    # epoll of our own tells only what needs no asking for, HUP and ERR, and can be waited for.
    with select.epoll() as hang_up:
        hang_up.register(sock.fileno(), 0)
        await trio.lowlevel.wait_readable(hang_up.fileno())


def unread(sock: trio.socket.SocketType) -> bool:
    """Whether bytes of the peer wait to be read, or its end."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
