"""Reads what strace saw of a daemon: which bytes were on disk when which others left.

Calls that strace cuts in two (`<unfinished ...>`, `<... resumed>`) begin at their first line and
end at their second, so that a call of one thread can lie across those of another.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

CALLS = "write,writev,pwrite64,pwritev,sendto,sendmsg,recvfrom,recvmsg,read,fsync,fdatasync"
"""What strace has to watch; with `-f -yy`, so that each descriptor says what it is."""
LONGEST_STRING = 65_536
WRITES = frozenset({"write", "writev", "pwrite64", "pwritev"})
SENDS = frozenset({"write", "writev", "sendto", "sendmsg"})
RECEIVES = frozenset({"recvfrom", "recvmsg", "read"})
SYNCS = frozenset({"fsync", "fdatasync"})

_LINE = re.compile(r"(?P<pid>\d+) +(?P<text>.*)")
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(?P<text>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<rest>.*)\) += (?P<result>-?\d+)(?: .*)?")
_DESCRIPTOR = re.compile(r"(?P<number>\d+)<(?P<what>(?:->|[^>])*)>")
_SERVICE_ID = re.compile(r'MessageCategory=\\"Payment\\"[^>]*? ServiceID=\\"(\d+)\\"')


class Call(Struct, frozen=True):
    """A finished system call on a descriptor; `began` and `ended` are line numbers."""

    name: str
    number: int
    what: str
    rest: str
    result: int
    began: int
    ended: int

    @property
    def on_wal(self) -> bool:
        return self.what.endswith(".sqlite3-wal")

    @property
    def on_journal(self) -> bool:
        return ".sqlite3" in self.what


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """The calls of a trace (`strace -f -yy -o`), in the order in which they ended."""
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        found = _LINE.fullmatch(line.rstrip("\n"))
        if found is None:
            continue
        pid, text, began = found["pid"], found["text"], number
        if text.endswith(_UNFINISHED):
            begun[pid] = number, text.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.fullmatch(text):
            if pid not in begun:
                continue  # it began before strace was there
            began, first = begun.pop(pid)
            text = first + resumed["text"]
        call = _CALL.fullmatch(text)
        on = _DESCRIPTOR.match(call["rest"]) if call else None
        if call is not None and on is not None:
            yield Call(
                name=call["name"],
                number=int(on["number"]),
                what=on["what"],
                rest=call["rest"],
                result=int(call["result"]),
                began=began,
                ended=number,
            )


def faults(lines: Iterable[str], terminal: str, payment_id: str) -> list[str]:
    """What money rule 1 forbids and this trace of one approved payment shows.

    `terminal` is its "host:port". The attempt (its ServiceID) must be written to the WAL and synced
    before the first byte of its POST leaves; the outcome before anybody reads "approved".
    """
    seen = list(calls(lines))
    asked = [
        call
        for call in seen
        if call.name in SENDS
        and call.what.endswith(f"->{terminal}]")
        and "<PaymentRequest" in call.rest
    ]
    if len(asked) != 1:
        return [f"{len(asked)} PaymentRequests were sent, expected one"]
    request = asked[0]
    service_id = _SERVICE_ID.search(request.rest)
    if service_id is None:
        return ["the PaymentRequest's ServiceID cannot be read"]
    # the HTTP headers leave first, in a call of their own
    opening = next(call for call in seen if call.name in SENDS and call.what == request.what)
    found = _late(seen, f"the attempt {service_id[1]}", service_id[1], -1, opening)
    answers = [
        call
        for call in seen
        if call.name in RECEIVES and call.what == request.what and "<PaymentResponse" in call.rest
    ]
    if not answers:
        return [*found, "no PaymentResponse came"]
    told = [
        call
        for call in seen
        if call.name in SENDS
        and not call.on_journal
        and payment_id in call.rest
        and "approved" in call.rest
    ]
    if not any("till.sock" in call.what for call in told):
        found.append("the till was not told")
    for call in told:
        found += _late(seen, "the outcome", "approved", answers[0].ended, call)
    return found


def _late(seen: list[Call], what: str, text: str, since: int, told: Call) -> list[str]:
    """Whether `text` was not written to the WAL after `since`, or not synced, before `told`."""
    written = [
        call
        for call in seen
        if call.name in WRITES
        and call.on_wal
        and text in call.rest
        and since < call.began
        and call.ended < told.began
    ]
    if not written:
        return [f"{what} was not written when {told.name} to {told.what} began"]
    synced = any(
        call.name in SYNCS
        and call.on_wal
        and call.result == 0
        and written[0].ended < call.began
        and call.ended < told.began
        for call in seen
    )
    return [] if synced else [f"{what} was not on disk when {told.name} to {told.what} began"]
