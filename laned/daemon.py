"""The daemon: everything wired together, from the first journal entry to the orderly stop.

`assemble` is the lane without sockets; `serve_lane` gives it its listeners. Only this module knows
all the adapters.
"""

import gc
import logging
import secrets
import signal
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Final

import trio
from msgspec import Struct

from laned.config.file import ConfigError, load
from laned.config.reload import reloaded
from laned.config.schema import Config
from laned.hardware.buttons import Buttons
from laned.hardware.display import Display
from laned.http.asgi import ASGIApp
from laned.http.listen import Listener, from_fd, is_ours, listen_tcp, listen_unix, split_bind
from laned.http.serve import Door, Limits, serve
from laned.inbox import LaneStopped
from laned.journal.health import LOOK_EVERY
from laned.journal.health import watch as watch_journal
from laned.journal.reader import PaymentReader
from laned.journal.store import (
    AnyJournal,
    BrokenJournal,
    Journal,
    JournalBusy,
    JournalError,
    set_aside,
)
from laned.lane import buttons as meanings
from laned.lane import events as ev
from laned.lane.maintenance import IDLE_BEFORE
from laned.lane.start import start
from laned.offload import Offload, WorkerThread
from laned.preload import preload
from laned.publishing import Publisher, Watch
from laned.runner import Runner, Terminal, real_moment
from laned.system.clock import clock_synchronised, tell_of_clock
from laned.system.lane_log import LaneLog
from laned.system.logging import log_for_daemon
from laned.system.metrics import Metrics
from laned.system.single_instance import claims
from laned.system.systemd import notify, passed_sockets
from laned.system.watchdog import report
from laned.terminal import probe as liveness
from laned.terminal.callback import Callback
from laned.terminal.client import TerminalClient
from laned.terminal.names import Names
from laned.terminal.names import watch as watch_names
from laned.terminal.probe import Probe
from laned.till.api import TillAPI
from laned.till.handlers import Handlers
from laned.views.screen import farewell, screen

log = logging.getLogger("laned.daemon")

PRUNE_EVERY: Final = 24 * 3600.0  # seconds
CLOCK_AGAIN: Final = 3600.0  # seconds until a clock that was not right is looked at again
STOP_WITHIN: Final = 8.0  # seconds for the orderly stop; systemd and the contract allow 10
FIRST_SERVICE_ID_BELOW: Final = 4_000_000_000
# The listener's connections: `laned.terminal.allowlist`. Whoever posts connects anew each time: a
# connection that is kept and closed in the wrong moment costs a display text.
TERMINAL_LIMITS: Final = Limits(keep_alive_timeout=0.0)
# A till asks every few seconds, and may not know what a connection that was closed has cost it. One
# user's connections can be full of waits without keeping another user out.
TILL_LIMITS: Final = Limits(
    max_connections=256, max_per_peer=128, keep_alive_timeout=300.0, keep_alive_grace=10.0
)


class StartError(Exception):
    """The daemon cannot start; the text says why, in one line."""


class Lane(Struct, frozen=True):
    """A running lane: its runner, how to watch it, its two apps and whom the first lets in."""

    runner: Runner
    watch: Watch
    callback: ASGIApp
    door: Door
    till: ASGIApp
    display: Display
    buttons: Buttons
    ended: trio.Event


def open_journal(config: Config) -> AnyJournal:
    """Open the configured journal, or what stands in for one that cannot be used (money rule 13).

    Raises JournalBusy when another daemon has it.
    """
    path = Path(config.journal.path)
    try:
        return _opened(path)
    except JournalBusy:
        raise
    except JournalError as error:
        log.error("%s", error)
        if error.condition != "corrupt" or config.journal.on_corrupt != "aside":
            return BrokenJournal(error)
    log.error("the journal is kept as %s, and a new one is begun", set_aside(path))
    try:
        return _opened(path)
    except JournalError as error:
        return BrokenJournal(error)


def _opened(path: Path) -> Journal:
    journal = Journal(path, secrets.randbelow(FIRST_SERVICE_ID_BELOW))
    try:
        journal.past()
    except JournalError:
        journal.close()
        raise
    with suppress(JournalError):
        journal.make_room()  # where it cannot, payments are refused one by one
    return journal


async def assemble(
    config: Config,
    journal: AnyJournal,
    terminal: Terminal,
    *,
    journal_offload: Offload,
    display_offload: Offload,
    names: Names | None = None,
    probe: Probe | None = None,
    idle_before: float = IDLE_BEFORE,
    moment: Callable[[], ev.Moment] = real_moment,
    on_frame: Callable[..., None] | None = None,
    task_status: trio.TaskStatus[Lane] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a lane until it has stopped (`ev.StopAsked`); `ended` is set then.

    Apps that stream watch `ended`; whoever serves them stops when it is set. `idle_before`: seconds
    without a payment before the terminal's own wish for maintenance is granted.
    """
    past = await journal_offload(journal.past)
    metrics = Metrics()
    first = start(config, past, moment(), idle_before=idle_before)
    publisher = Publisher(first.state, journal.life, (LaneLog(), metrics))
    runner = Runner(
        first,
        publisher=publisher,
        journal=journal,
        offload=journal_offload,
        terminal=terminal,
        moment=moment,
    )
    display = Display(config.display, display_offload, on_frame=on_frame)
    buttons = Buttons(config.buttons)

    def told(name: str, action: str, since: float) -> None:
        display.wake()
        pressed = action == "pressed"
        runner.submit_nowait(ev.ButtonPressed(name, since) if pressed else ev.ButtonReleased(name))

    async def hardware() -> None:
        goodbye = farewell(publisher.state)
        async with trio.open_nursery() as both:
            both.start_soon(
                lambda: display.run(
                    publisher.changes(screen),
                    lambda health: runner.submit_nowait(ev.HardwareReported("display", health)),
                    farewell=goodbye,
                )
            )
            both.start_soon(
                buttons.run,
                told,
                lambda health: runner.submit_nowait(ev.HardwareReported("buttons", health)),
                publisher.changes(meanings.lit),
            )
            await publisher.stopped.wait()
            both.cancel_scope.cancel()

    ended = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(runner.run)
        nursery.start_soon(hardware)
        nursery.start_soon(_prune, config, journal, journal_offload)
        names = names or Names()
        nursery.start_soon(watch_names, publisher, names)
        if probe is not None:
            nursery.start_soon(liveness.watch, publisher, runner, probe)
        handlers = Handlers(
            publisher,
            runner,
            PaymentReader(journal, journal_offload),
            panel=display,
            buttons=buttons,
            metrics=metrics,
            nursery=nursery,
            offload=journal_offload,
            stop=ended,
        )
        callback = Callback(publisher, runner, names)
        posts = metrics.counting("terminal", callback.app)
        asks = metrics.counting("till", TillAPI(handlers).app)
        lane = Lane(runner, publisher, posts, callback.door, asks, display, buttons, ended)
        task_status.started(lane)
        await publisher.stopped.wait()
        ended.set()
        nursery.cancel_scope.cancel()


async def _prune(config: Config, journal: AnyJournal, offload: Offload) -> None:
    """Drop old details once a day; never while the clock may be wrong (money rule 13)."""
    while True:
        right = clock_synchronised()
        if right:
            pruned, more = 0, True
            try:
                while more:
                    some = await offload(lambda: journal.prune(config.journal.keep_days))
                    pruned, more = pruned + some, some > 0
            except JournalError as error:
                log.warning("old payments are not pruned: %s", error)
            else:
                log.info("details of %d old payments dropped", pruned)
        # A box that is switched off every night would never see a second look a day later.
        await trio.sleep(PRUNE_EVERY if right else CLOCK_AGAIN)


async def _until_usable(config: Config, *, again: bool) -> None:
    """Return when a journal that could not be used at the start can be: the lane begins `again`.

    Without somebody who starts the daemon again it only says so, and never returns.
    """
    while True:
        await trio.sleep(LOOK_EVERY)
        try:
            await trio.to_thread.run_sync(lambda: _opened(Path(config.journal.path)).close())
        except JournalError:
            continue
        if again:
            log.warning("the journal can be used now: laned starts anew")
            return
        log.warning("the journal can be used now: start laned again")
        await trio.sleep_forever()


async def _look_after(lane: Lane, journal: AnyJournal, offload: Offload) -> None:
    """Watch the clock and the journal's disk until the lane has ended."""
    runner = lane.runner
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_of_clock, lambda: runner.state.config.maintenance.window)
        if isinstance(journal, Journal):
            nursery.start_soon(
                watch_journal,
                journal,
                offload,
                lambda: runner.state.journal,
                lambda health: runner.submit_nowait(ev.JournalReported(health)),
            )
        await lane.ended.wait()
        nursery.cancel_scope.cancel()


async def serve_lane(
    config: Config,
    journal: AnyJournal,
    *,
    stop: trio.Event,
    passed: Sequence[int] = (),
    names: Names | None = None,
    on_listening: Callable[[Sequence[Listener]], None] = lambda callbacks: None,
    on_ready: Callable[[Lane], None] = lambda lane: None,
    idle_before: float = IDLE_BEFORE,
    moment: Callable[[], ev.Moment] = real_moment,
    on_frame: Callable[..., None] | None = None,
) -> None:
    """Run the lane of `config` on its real sockets until `stop` is set, then stop in good order.

    `passed` are sockets from systemd: the till's. `on_listening` is told what the terminal can
    post to (port 0: which port it became) before the terminal is spoken to. Raises StartError when
    a socket cannot be had.
    """
    callbacks, tills = await _listeners(config, passed)
    on_listening(callbacks)
    names = names or Names()
    client = TerminalClient(config.terminal.connect_timeout, names=names)
    journal_offload = WorkerThread()
    async with trio.open_nursery() as nursery:
        lane: Lane = await nursery.start(
            partial(
                assemble,
                config,
                journal,
                client,
                journal_offload=journal_offload,
                display_offload=WorkerThread(),
                names=names,
                probe=liveness.tcp_probe(config.terminal.connect_timeout, names),
                idle_before=idle_before,
                moment=moment,
                on_frame=on_frame,
            )
        )
        for app, listeners, limits, door in (
            (lane.callback, callbacks, TERMINAL_LIMITS, lane.door),
            (lane.till, tills, TILL_LIMITS, None),
        ):
            await nursery.start(
                partial(serve, app, listeners, stop=lane.ended, limits=limits, door=door)
            )
        nursery.start_soon(_look_after, lane, journal, journal_offload)
        await trio.to_thread.run_sync(preload, config)
        on_ready(lane)
        await stop.wait()
        log.info("stopping")
        with trio.move_on_after(STOP_WITHIN), suppress(LaneStopped):
            await lane.runner.handle(ev.StopAsked())
            await lane.ended.wait()
        if not lane.ended.is_set():
            log.warning("the terminal did not let us go within %g s", STOP_WITHIN)
            nursery.cancel_scope.cancel()
    await client.aclose()


async def _listeners(
    config: Config, passed: Sequence[int]
) -> tuple[Sequence[Listener], Sequence[Listener]]:
    """The terminal's and the till's listeners: StartError."""
    try:
        return await _open_listeners(config, passed)
    except OSError as error:
        raise StartError(str(error.strerror or error)) from error


async def _open_listeners(
    config: Config, passed: Sequence[int]
) -> tuple[Sequence[Listener], Sequence[Listener]]:
    callbacks: Sequence[Listener] = ()
    if config.lane.mode == "default":
        # An address by DHCP may come after us; to end and be started again takes longer each time.
        callbacks = await listen_tcp(config.listener.bind, before_it_is_ours=True)
        if not is_ours(split_bind(config.listener.bind)[0]):
            log.warning("listener.bind: this machine does not have %s yet", config.listener.bind)
    if passed:
        if config.till.sets_access:
            raise StartError(
                "till.mode and till.group have no effect on a socket passed by systemd:"
                " set them in the socket unit, and take them out of the configuration"
            )
        return callbacks, [from_fd(fd) for fd in passed]
    path = Path(config.till.socket)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"cannot listen on {path}: {error.strerror}") from error
    return callbacks, [listen_unix(path, config.till.permissions, config.till.group)]


async def _until_signalled(
    stop: trio.Event,
    environ: MutableMapping[str, str],
    reread: Callable[[], Awaitable[None]],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Set `stop` at SIGTERM or SIGINT; have the configuration read again at SIGHUP."""
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    with trio.open_signal_receiver(*signals) as received:
        task_status.started()
        async for number in received:
            if number == signal.SIGHUP:
                await reread()
            else:
                notify("STOPPING=1", environ)
                stop.set()


async def _reread(path: Path, environ: MutableMapping[str, str], runner: Runner) -> None:
    """Read the configuration at `path` again, and go on with what can change."""
    running = runner.state.config
    try:
        config, changed, later = reloaded(running, load(path, environ))
    except ConfigError as error:
        log.error("the configuration stays as it was: %s", "; ".join(error.findings))
        return
    with suppress(LaneStopped):
        await runner.handle(ev.ConfigChanged(config))
    log.info("configuration read again, changed: %s", ", ".join(changed) or "nothing")
    if later:
        log.warning("these take effect at the next restart: %s", ", ".join(later))


async def run(path: Path, environ: MutableMapping[str, str]) -> None:
    """`laned run`: the daemon under systemd or in a terminal window, configured by `path`.

    Raises ConfigError, StartError, Claimed or JournalError, with a line for what hinders.
    """
    config = load(path, environ)
    log_for_daemon(config.lane.name, environ)
    with closing(open_journal(config)) as journal, claims(config.terminal) as hold:
        names = Names(on_first=hold)
        place = config.terminal.host_port
        if place is not None:
            await names.for_login(place[0])  # so that a second lane ends before it begins
        async with trio.open_nursery() as nursery:
            stop = trio.Event()
            runners: list[Runner] = []

            async def reread() -> None:
                for runner in runners:  # none before the lane runs
                    await _reread(path, environ, runner)

            await nursery.start(_until_signalled, stop, environ, reread)

            def ready(lane: Lane) -> None:
                runners.append(lane.runner)
                gc.freeze()  # what is there now stays: no event waits while it is looked through
                where = "the socket of systemd" if passed else config.till.socket
                log.info("lane %s is served on %s", config.lane.name, where)
                notify("READY=1", environ)
                nursery.start_soon(report, lane.watch, lane.runner.pulse, environ)

            async def begin_again() -> None:
                await _until_usable(config, again="NOTIFY_SOCKET" in environ)
                stop.set()

            if isinstance(journal, BrokenJournal) and journal.condition != "corrupt":
                nursery.start_soon(begin_again)
            passed = passed_sockets(environ)
            await serve_lane(config, journal, stop=stop, passed=passed, names=names, on_ready=ready)
            nursery.cancel_scope.cancel()
