"""A daemon that says what it is told to say: for commands, and what they make of it."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from processes import PATIENCE

COMMENTS = 100


@contextmanager
def daemon(path: Path, **answers: str | tuple[int, str]) -> Iterator[None]:
    """Answers requests, known by the end of their paths; a stream goes on with comments only.

    Status 0 hangs up instead.
    """
    over = threading.Event()

    def answer(peer: socket.socket) -> None:
        with peer:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += peer.recv(65536)
            head, _, content = asked.partition(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", head)
            while found and len(content) < int(found[1]):  # closing unread would be a reset
                content += peer.recv(65536)
            name = asked.split()[1].decode().partition("?")[0].rpartition("/")[2]
            found_answer = answers[name.replace("-", "_")]
            status, text = found_answer if isinstance(found_answer, tuple) else (200, found_answer)
            if not status:
                return
            body = text.encode()
            kind = b"text/event-stream" if name == "events" else b"application/json"
            length = b"" if name == "events" else b"content-length: %d\r\n" % len(body)
            head = b"HTTP/1.1 %d OK\r\nconnection: close\r\n" % status
            head += b"content-type: " + kind + b"\r\n"
            peer.sendall(head + length + b"\r\n" + body)
            for _ in range(COMMENTS if name == "events" else 0):
                if over.wait(0.05):
                    return
                with suppress(OSError):
                    peer.sendall(b": \n\n")

    def accept() -> None:
        while not over.is_set():
            try:
                peer, _ = server.accept()
            except TimeoutError:
                continue
            threads.append(threading.Thread(target=answer, args=(peer,)))
            threads[-1].start()

    threads: list[threading.Thread] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(0.05)
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(PATIENCE)
