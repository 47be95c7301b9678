"""A planted mistake: a small patch, and the tests that must fail because of it."""

from pathlib import Path

from msgspec import Struct


class StaleMutantError(Exception):
    """The text that a mutant replaces is not there exactly once: the mutant has to be renewed."""


class Mutant(Struct, frozen=True):
    """`old` becomes `new` in `file` (relative to the repository).

    `tests` are pytest's arguments: the narrowest tests that are there for such a mistake.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def mutated(self, repository: Path) -> str:
        """The file's text with the mistake in it: StaleMutantError."""
        text = (repository / self.file).read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise StaleMutantError(
                f"{self.name}: found {found} times in {self.file}, expected once:\n{self.old}"
            )
        return text.replace(self.old, self.new)
