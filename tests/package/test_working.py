"""What README promises to who works on laned: words for the checks, a list of changes."""

import re
import tomllib
from pathlib import Path

from laned import __version__

REPOSITORY = Path(__file__).parents[2]
CI = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")


def tasks() -> dict[str, dict[str, object]]:
    document = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(document["tool"]["poe"]["tasks"])


def test_every_word_says_what_it_does() -> None:
    assert tasks()
    assert all(task.get("help") for task in tasks().values())


def test_ci_and_readme_use_no_other_words() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    used = {
        name: set(re.findall(r"(?:^|[ /`])poe ([a-z]+)", text, flags=re.MULTILINE))
        for name, text in (("ci", CI), ("readme", readme))
    }
    assert used["ci"] | used["readme"] == tasks().keys()
    assert used["ci"] > {"lint", "types", "simulation", "year", "mutants", "package", "bench"}


def test_the_programs_that_the_words_start_are_there() -> None:
    for task in tasks().values():
        for program in re.findall(r"\S+\.py|\.ci/\S+", str(task.get("cmd", ""))):
            assert (REPOSITORY / program).exists(), program


def test_each_part_of_ci_is_called_by_its_word() -> None:
    parts = re.findall(r'^part "([^"]+)" \d+ poe (\S+)', CI, flags=re.MULTILINE)
    assert len(parts) >= 8
    assert all(name.split(",")[0] == word for name, word in parts)


def test_the_changes_begin_with_what_is_not_released_and_know_this_version() -> None:
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+)", changes, flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] == __version__
