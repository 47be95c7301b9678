"""Requests that end, hang or leak an unguarded hypercorn 0.18."""

import random

CHUNKED = b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
BROKEN_CHUNKS = b"5\r\nhello\r\nZZ\r\n"

# All but the last killed hypercorn 0.18.0's own trio server in 50 of 50 runs of 20 shots.
# What is sent, and whether the client then half-closes. The path names the app's habit.
CRASHERS: dict[str, tuple[bytes, bool]] = {
    "early answer, malformed chunk": (CHUNKED % b"/early" + BROKEN_CHUNKS, False),
    "early answer, malformed chunk, FIN": (CHUNKED % b"/early" + BROKEN_CHUNKS, True),
    "handler raises, a byte too many": (SIZED % b"/raise" + b"123456", False),
    "handler raises, FIN in the body": (SIZED % b"/raise" + b"123", True),
    "handler raises, malformed chunk": (CHUNKED % b"/raise" + BROKEN_CHUNKS, False),
    "half an answer, then raises": (SIZED % b"/midway" + b"123456", True),
}

_SEEDS = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabcdef",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
    b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n\x81\x00",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
]


def malformed(seed: int) -> tuple[bytes, bool]:
    """Return a mutated request and whether to half-close after it."""
    rng = random.Random(seed)
    data = bytearray(rng.choice(_SEEDS))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[at:at] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randint(1, 8)]
            case 2:
                data[at:at] = rng.choice([b"\r\n", b"\r\n\r\n", b"\x00", b"GET / HTTP/1.1\r\n"])
            case _:
                data += rng.choice(_SEEDS)[: rng.randrange(60)]
    return bytes(data), rng.random() < 0.6
