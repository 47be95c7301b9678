"""How a command ends: with an exit status that is true of the money, whatever ends it."""

import argparse
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from laned.exits import FAILED, UNKNOWN
from laned.till.client import ConnectionLost, Till, Unreachable

Options = argparse.Namespace


class Ended(BaseException):
    """SIGTERM or SIGHUP: an exception, so that the exit status says what is known of the money."""


def command(work: Callable[[Till, Options], int]) -> Callable[[Options], int]:
    """Wrap a command so that it ends as it should, whatever becomes of the daemon or of itself.

    Once something was asked that may touch money, an end that says nothing is UNKNOWN.
    """

    def run(options: Options) -> int:
        till = Till(options.socket)
        try:
            with _signals_as_exceptions():
                return work(till, options)
        except Unreachable as error:
            print(f"laned: {error}", file=sys.stderr)
        except ConnectionLost as error:
            print(f"laned: the daemon went away: {error}", file=sys.stderr)
        except Ended as error:
            print(f"laned: ended by {error}", file=sys.stderr)
        except Exception:
            traceback.print_exc()
        return UNKNOWN if till.may_have_moved_money else FAILED

    return run


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """Raise Ended at SIGTERM and SIGHUP, unless somebody has these ignored (nohup)."""

    def end(number: int, _: object) -> None:
        raise Ended(signal.Signals(number).name)

    changed = {
        number: signal.signal(number, end)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, before in changed.items():
            signal.signal(number, before)
