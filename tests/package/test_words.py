"""The manual page and the completions know the whole command line."""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from laned.cli.main import _parser
from laned.simulator import SCENARIOS

SYSTEMD = Path(__file__).parents[2] / "systemd"
TYPED = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shtab_laned 2> /dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from (name for name in action.option_strings if name.startswith("--"))


def manual() -> dict[str, str]:
    """What laned(1) says of each command, without the marks of troff."""
    text = (SYSTEMD / "man" / "laned.1").read_text().split(".SH THE LANE")[1]
    text = re.sub(r"\\f.", "", text).replace("\\-", "-").replace('"', "")
    parts = re.split(r"^\.BR? laned ([a-z-]+)", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("command", commands())
def test_the_manual_names_every_command_and_option(command: str) -> None:
    said = manual()[command]
    common = {"--help", "--socket", "--json"}
    for option in set(options(commands()[command])) - common:
        assert re.search(rf"{option}\b", said.split(".TP")[0]), option


def test_the_manual_names_no_command_that_is_not_there() -> None:
    assert {name for name in manual() if not name.startswith("-")} == set(commands())


def test_the_manual_names_the_options_of_all() -> None:
    text = (SYSTEMD / "man" / "laned.1").read_text().replace("\\-", "-")
    assert all(option in text for option in ("--socket", "--json", "--version", "--help"))


@pytest.fixture(scope="module")
def completions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    subprocess.run([sys.executable, SYSTEMD / "deb" / "completion.py", root], check=True)
    return root / "usr/share"


def completed(completions: Path, *words: str) -> list[str]:
    """What bash offers for `words`, of which the last is being typed."""
    script = completions / "bash-completion/completions/laned"
    done = subprocess.run(
        ["bash", "-c", TYPED, "bash", script, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_bash_offers_every_command(completions: Path) -> None:
    assert set(completed(completions, "laned", "")) == set(commands())


@pytest.mark.parametrize("command", commands())
def test_bash_offers_every_option(completions: Path, command: str) -> None:
    assert set(completed(completions, "laned", command, "--")) == set(options(commands()[command]))


def test_bash_offers_scenarios_and_answers(completions: Path) -> None:
    assert completed(completions, "laned", "demo", "--scenario", "") == list(SCENARIOS)
    assert completed(completions, "laned", "resolve", "4711", "a") == ["approved"]
    assert completed(completions, "laned", "run", "--config", str(completions)[:-1]) == [
        str(completions)
    ]


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("zsh", "zsh/vendor-completions/_laned"),
        ("fish", "fish/vendor_completions.d/laned.fish"),
    ],
)
def test_other_shells_can_read_theirs(completions: Path, shell: str, file: str) -> None:
    text = (completions / file).read_text()
    assert all(command in text for command in commands())
    if shutil.which(shell):
        subprocess.run([shell, "-n", completions / file], check=True)
