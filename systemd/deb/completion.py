"""Write the shells' completions below the folder given, from the command line's own arguments."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import shtab

from laned.cli.main import _parser
from laned.simulator import SCENARIOS

FILES: Final = {
    "bash": "usr/share/bash-completion/completions/laned",
    "fish": "usr/share/fish/vendor_completions.d/laned.fish",
    "zsh": "usr/share/zsh/vendor-completions/_laned",
}


def arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of `parser` and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from arguments(command)


def script(shell: str) -> str:
    """The completion for `shell`."""
    parser = _parser()
    for action in arguments(parser):
        if action.metavar == "PATH":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif "--scenario" in action.option_strings:
            action.choices = tuple(SCENARIOS)
    return shtab.complete(parser, shell)


def main() -> None:
    """Do what the module says."""
    for shell, name in FILES.items():
        path = Path(sys.argv[1]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script(shell))


if __name__ == "__main__":
    main()
