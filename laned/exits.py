"""The exit statuses of the command line (contract, section Commands)."""

import sys
from collections.abc import Callable
from typing import Final

DONE: Final = 0
FAILED: Final = 1  # it certainly did not happen
USAGE: Final = 2  # wrong usage or invalid configuration
UNKNOWN: Final = 3  # a payment's outcome is not known
INTERRUPTED: Final = 130


def of(work: Callable[[], object], *expected: type[Exception]) -> int:
    """Do `work`; an `expected` error ends it with one line on stderr, any other with a traceback.

    Nurseries wrap errors in groups; a group counts if all that is in it is expected.
    """
    try:
        work()
    except expected as error:
        found: BaseException = error
    except BaseExceptionGroup as group:
        if group.split(expected)[1] is not None:
            raise
        found = innermost(group)
    else:
        return DONE
    print(f"laned: {found}", file=sys.stderr)
    return FAILED


def innermost(error: BaseException) -> BaseException:
    """The first error inside a group, or inside the groups in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
