"""`laned check`: looks at everything that a lane needs, and says how to mend what is broken.

Each module has one subject and yields findings; what it asks of the operating system goes through a
`Box`, so that tests can give it another one. A check beside a running daemon disturbs nothing: what
the daemon holds is asked of the daemon, before anything else. The rest is looked at with the eyes
of the service: root may do what it may not.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import trio

from laned.check import buttons, daemon, display, host, journal, settings, sockets, terminal
from laned.check.box import Box, become
from laned.check.daemon import Daemon
from laned.check.finding import Finding, Level, Tell, broken
from laned.config.file import ConfigError, load
from laned.config.schema import Config
from laned.exits import DONE, FAILED, USAGE
from laned.hardware.panel import Panel

SERVICE_USER: Final = "laned"
CONFIGURATIONS: Final = Path("/etc/laned")


def check(path: Path, *, ask: bool) -> int:
    """Check the lane of the configuration at `path`; the exit status.

    With `ask` each button has to be pressed. Prints a line for each finding as it is found.
    """
    try:
        config = load(path, os.environ)
    except ConfigError as error:
        # Each says already what is expected; of a file that is not there nothing could be said.
        absent = isinstance(error.__cause__, FileNotFoundError)
        cure = "name it with --config, or put config/laned.toml there" if absent else ""
        for found in error.findings:
            print(broken("configuration", found, cure), flush=True)
        print("laned: the configuration is invalid, nothing else was checked", file=sys.stderr)
        return USAGE
    levels: list[Level] = []

    def tell(found: Finding) -> None:
        levels.append(found.level)
        print(found, flush=True)

    running = daemon.look(config)
    service = _is_of_the_service(path) and become(SERVICE_USER)
    try:
        _check(config, path, Box.here(service=service), running, tell, ask=ask)
    except BaseExceptionGroup as group:
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        raise KeyboardInterrupt from group
    failed = levels.count(Level.BROKEN)
    if failed:
        print(f"laned: broken: {failed} of {len(levels)} findings", file=sys.stderr)
    return FAILED if failed else DONE


def _is_of_the_service(path: Path) -> bool:
    """Whether root looks at a configuration that the units start the daemon with."""
    return os.geteuid() == 0 and path.absolute().parent == CONFIGURATIONS


def _check(config: Config, path: Path, box: Box, running: Daemon, tell: Tell, *, ask: bool) -> None:
    with closing(Panel(config.display)) as panel:
        for found in _findings(config, path, box, running, panel):
            tell(found)
        trio.run(partial(buttons.check, config, box, running, tell, ask=ask))


def _findings(
    config: Config, path: Path, box: Box, running: Daemon, panel: Panel
) -> Iterator[Finding]:
    yield from settings.check(config, path, box)
    yield from host.check(config, box)
    yield from daemon.check(config, running)
    yield from journal.check(config, box, running)
    yield from sockets.check_till(config, box, running)
    yield from sockets.check_listener(config, running)
    yield from terminal.check(config, box, running, journal.learnt_address(config, running))
    yield from display.check(config, box, running, panel)
