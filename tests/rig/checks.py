"""Checks and their lines: "ok NAME", "not ok NAME: why", and how many of each at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Checks:
    """Counts; a check that fails does not end the others."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self._began = time.monotonic()

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        """A check: passed unless something is raised in it."""
        began = time.monotonic()
        try:
            yield
        except Exception as error:  # a broken rig is a failed check too
            kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
            self.failed += 1
            print(f"not ok {name}: {kind}{error}", flush=True)
        else:
            self.passed += 1
            print(f"ok {name} ({time.monotonic() - began:.1f} s)", flush=True)

    def note(self, text: str) -> None:
        """A figure, or a step and when it was."""
        print(f"# {time.monotonic() - self._began:5.1f} s  {text}", flush=True)

    def summary(self) -> int:
        """Print the closing line; the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def equal(found: object, expected: object, what: str) -> None:
    """AssertionError unless both are the same; of mappings only what differs is shown."""
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = found.keys() | expected.keys()
        unlike = {key for key in keys if found.get(key) != expected.get(key)}
        found, expected = ({key: one.get(key) for key in unlike} for one in (found, expected))
    assert found == expected, f"{what} is {found!r}, expected {expected!r}"
