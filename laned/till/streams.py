"""Room for streams: they last, so they have a number of their own beside the commands'."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from laned.http.serve import Peer
from laned.till.problems import ProblemError

MAX_STREAMS: Final = 32  # open at a time
MAX_STREAMS_OF_ONE: Final = 8  # of these, one user's


class Streams:
    """Who has how many streams open."""

    def __init__(self) -> None:
        self._open: Counter[int | None] = Counter()

    @contextmanager
    def one_more(self, peer: Peer | None) -> Iterator[None]:
        """Count one more of this peer's user as long as it lasts: ProblemError."""
        uid = peer.uid if peer is not None else None
        if self._open[uid] >= MAX_STREAMS_OF_ONE:
            detail = f"this user has {MAX_STREAMS_OF_ONE} streams open: close one"
            raise ProblemError("too_many_streams", detail)
        if self._open.total() >= MAX_STREAMS:
            raise ProblemError("too_many_streams", f"{MAX_STREAMS} streams are open: close one")
        self._open[uid] += 1
        try:
            yield
        finally:
            self._open[uid] -= 1
            self._open += Counter()  # keeps what is above zero
