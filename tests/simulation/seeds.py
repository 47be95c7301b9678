"""A seed becomes a plan, a world, and a verdict."""

import random
import tempfile
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio
import trio.testing
from covered import SENT, Covered
from lives import lose
from msgspec import Struct
from msgspec.structs import replace
from people import Attendant, Crowd, Gremlin, Meddler, Supervisor, Till
from recorder import Recorder
from world import HOME, Plan, World, made

from laned.lane import events as ev
from laned.lane.state import Phase, Reason
from laned.simulator import SCENARIOS, Link, Scenario, Settings
from laned.views.lane import set_aside

T = TypeVar("T")

LONGEST = 48 * 3600.0
"""Virtual seconds of one seed; what still waits then would wait for ever."""
TILLS_WITHIN = 3 * 3600.0
SETTLES_WITHIN = 1000.0
"""Virtual seconds in which a terminal that is reachable and can know has told everything."""
FOCI = (
    "Login",
    "Payment",
    "Abort",
    "Reversal",
    "Logout",
    "Admin",
    "Display",
    "Print",
    "Input",
    "Event",
)
BRIEF = [
    Phase.LOGGING_IN,
    Phase.LOGGING_OUT,
    Phase.LOGGED_OUT,
    Phase.UPDATING,
    Phase.PENDING,
    Phase.RETRYING,
    Phase.RELOGIN,
    Phase.SIGNING,
    Phase.SURVEY,
    Phase.BROKEN,
]
"""Phases that a lane is seldom in, or not for long."""
WAYS = ["reboot", "forget", "swap", "unplug", "cut", "kill", "stop", "notify", "fill"]
UPKEEP = ["restart", "wish", "move", "outage", "reload", "clock"]
BY_HAND = "in maintenance"
"""People log in when they like, and a life that has just begun knows of no maintenance."""


class Verdict(Struct):
    """What became of one seed."""

    seed: int
    wrong: list[str]
    covered: Covered
    trace: list[str]
    record: str = ""


class Course(Struct, frozen=True, kw_only=True):
    """What a seed sets on the lane beside its plan."""

    tills: int
    customers: int
    meddler: float
    crowd: list[Phase]
    gremlin: float
    ways: list[str]
    spiteful: bool
    loses: float
    damages: float


def plan_for(seed: int) -> tuple[Plan, Course]:
    """A seed's plan: from almost nothing going wrong to almost everything."""
    draw, upkeep = random.Random(f"{seed} plan"), random.Random(f"{seed} upkeep")
    rough = draw.choice((0.0, 0.3, 1.0, 1.0))
    light = draw.random() < 0.2
    plan = Plan(
        mode="light" if light else "default",
        address=HOME if light else upkeep.choice((HOME, HOME, HOME, "auto")),
        window=upkeep.choice(("", "", "", "", "12:15-13:15")),
        idle_before=upkeep.choice((5.0, 60.0, 600.0)),
        signature=draw.choice(("decline", "button", "till")),
        retry_interval=draw.choice((1.0, 2.0, 10.0)),
        response_timeout=draw.choice((20.0, 60.0, 300.0)),
        on_corrupt=draw.choice(("stop", "aside")),
        settings=Settings(
            busy_after_login=draw.choice((0.0, 1.0, 1.0, 60.0)),
            busy_after_payment=draw.choice((0.0, 2.0)),
            boot_time=draw.choice((1.0, 20.0, 60.0)),
            memory=draw.choice((1, 2, 100)),
            keeps_newest=draw.random() < 0.5,
            remembers_refusals=draw.random() < 0.3,
            refuse_reversals=draw.random() < 0.3,
            maintenance_time=upkeep.choice((20.0, 300.0)),
            maintenance_reboots=upkeep.random() < 0.5,
        ),
        scenarios=tuple(draw.choices(_scenarios(draw, light=light), k=3)),
        faults=draw.choice((0.0, 0.05, 0.15, 0.4)) * rough,
        focus=tuple(draw.sample(FOCI, draw.choice((0, 0, 1, 1, 2)) if rough else 0)),
        post_faults=draw.choice((0.0, 0.05, 0.2)) * rough,
        crashes=draw.choice((0.0, 0.5, 1.0)),
        latency=draw.choice((0.0, 0.0, 0.1, 1.5, 4.0)),
        late=draw.choice((0.0, 0.0, 0.0, 0.3)),
        lies=draw.choice((0.0, 0.0, 0.0, 0.2)),
        ignores_reference=draw.random() < 0.1,
    )
    course = Course(
        tills=draw.choice((1, 1, 2)),
        customers=draw.choice((3, 3, 4)),
        meddler=draw.choice((3.0, 20.0, 1e6)),
        crowd=draw.sample(BRIEF, draw.choice((0, 1, 3))) + [Phase.SIGNING] * light,
        gremlin=draw.choice((20.0, 60.0, 300.0, 1e6)),
        spiteful=draw.random() < 0.5,
        ways=draw.sample(WAYS, draw.randint(1, 5)) + upkeep.sample(UPKEEP, upkeep.randint(0, 2)),
        loses=draw.choice((0.0, 0.0, 0.1)),
        damages=draw.choice((0.0, 0.0, 0.1)),
    )
    return plan, course


def _scenarios(draw: random.Random, *, light: bool) -> list[Scenario]:
    pace = draw.choice((1.0, 1.0, 4.0))
    found = [SCENARIOS["happy"]] * 4 + [replace(SCENARIOS["happy"], tip=Decimal(5))]
    found += [replace(SCENARIOS["happy"], pin_digits=0, host_time=40.0)]
    found += list(SCENARIOS.values())
    found += [SCENARIOS["signature-approved"]] * (12 if light else 3)
    return [replace(scenario, host_time=scenario.host_time * pace) for scenario in found]


def run(seed: int, *, traced: bool = False, recorded: bool = False) -> Verdict:
    """Live through one seed."""
    return virtually(seed, partial(_run, seed, traced, recorded))


def virtually(seed: int, live: Callable[[Path], Awaitable[T]]) -> T:
    """Run `live` in a folder of its own, in virtual time, with chances that `seed` decides.

    The scheduler's own, too: trio can do that for Hypothesis, which has no public name.
    """
    scheduler = vars(trio._core._run)
    scheduler["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    scheduler["_r"].seed(seed)
    clock = trio.testing.MockClock(autojump_threshold=0)
    try:
        with tempfile.TemporaryDirectory(prefix="laned-seed-", dir=fast_folder()) as folder:
            return trio.run(live, Path(folder), clock=clock)
    finally:
        scheduler["_ALLOW_DETERMINISTIC_SCHEDULING"] = False


def fast_folder() -> str | None:
    """Where files are in memory, if there is such a place."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


async def _run(seed: int, traced: bool, recorded: bool, folder: Path) -> Verdict:
    plan, course = plan_for(seed)
    async with made(seed, folder, plan, traced=traced) as world:
        world.recorder = Recorder() if recorded else None
        world.say(f"{plan!r} {course!r}")
        world.books.excused += (BY_HAND,)
        try:
            with trio.fail_after(LONGEST):
                await _live(world, course)
        except trio.TooSlowError:
            world.books.fault("the seed never ends")
        record = world.recorder.number() if world.recorder is not None else ""
        verdict = Verdict(seed, world.books.wrong, world.covered, world.trace, record)
    world.books.close()
    return verdict


async def _live(world: World, course: Course) -> None:
    crashes = Crashes(world)
    world.crash_at = crashes
    supervisor = Supervisor(world, course.loses, course.damages)
    world.between_lives = supervisor.between
    nursery = world.nursery
    nursery.start_soon(world.supervise)
    nursery.start_soon(Attendant(world).run)
    nursery.start_soon(Meddler(world, course.meddler).run)
    nursery.start_soon(Crowd(world, course.crowd).run)
    nursery.start_soon(Gremlin(world, course.gremlin, course.ways, spiteful=course.spiteful).run)
    nursery.start_soon(_caretaker, world)
    with trio.move_on_after(TILLS_WITHIN):
        async with trio.open_nursery() as tills:
            for number in range(course.tills):
                tills.start_soon(Till(world, "ab"[number], course.customers).run)
    await heal(world)
    world.books.compare()


class Crashes:
    """Where each life crashes: at the nth place of some kind, if at all."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random("crashes")
        self._life = 0
        self._left = 0
        self._kind = ""

    def __call__(self, life: object, name: str) -> bool:
        if self._world.lives != self._life:
            self._life = self._world.lives
            wanted = self._random.random() < self._world.plan.crashes
            self._kind = self._random.choice(("", "", "write", "publish", "Status", *SENT))
            soon = (1, 2, 3, 4, 5) if self._kind in SENT else (1, 2, 3, 5, 8, 20, 40, 80)
            self._left = self._random.choice(soon) if wanted else -1
        if self._kind in name:
            self._left -= 1
            return self._left == 0
        return False


async def _caretaker(world: World) -> None:
    """A person who looks in now and then: acknowledges, logs in, mends, and resolves."""
    draw = world.random("caretaker")
    while True:
        await trio.sleep(draw.uniform(20, 200))
        life = world.life
        if life is None:
            continue
        state = life.runner.state
        if state.journal == "new":
            await world.bring(ev.JournalAcknowledged())
        if not state.terminal.address and world.config.lane.mode == "default":
            await world.bring(ev.LearnAsked())
            await world.terminal.save()
        if state.phase is Phase.LOGGED_OUT:
            await world.bring(ev.LoginAsked())
        if state.phase is Phase.BROKEN:
            world.kill()
            world.books.close()
            lose(world.path)
        if draw.random() < 0.3:
            await resolve(world)


async def resolve(world: World) -> None:
    """Say what became of the newest payment that is set aside, from the bank's books."""
    life = world.life
    ids = set_aside(life.runner.state) if life is not None else ()
    truth = world.books.truth(ids[0]) if ids else ""
    if truth:
        world.say(f"resolve {ids[0]} as {truth}")
        world.covered.fact("resolved")
        event = ev.ResolveAsked(payment_id=ids[0], state=truth, note="", uid=0)  # type: ignore[arg-type]
        await world.bring(event)


async def heal(world: World) -> None:
    """Nothing goes wrong any more: everything must come to its end by itself."""
    world.say("CALM")
    world.calm = True
    world.unplugged = False
    world.trouble.condition = ""
    world.nursery.start_soon(_look_after, world)
    for terminal in world.terminals:
        await terminal.until(partial(getattr, terminal, "powered"))
    settled = await _settles(world, SETTLES_WITHIN)
    await world.bring(ev.LoginAsked())  # after it the terminal is asked after what is set aside
    if not (settled and await _settles(world, SETTLES_WITHIN)):
        state = world.life.runner.state if world.life is not None else None
        world.books.fault(f"not settled: {state.phase if state else None}, {state!r:.2000}")


async def _look_after(world: World) -> None:
    """A person who sees that the lane has no terminal: plugs it in, and saves in its menu.

    Or puts it back where it was, while a payment is unfinished that was asked for there.
    """
    while True:
        if world.terminal.link is not Link.UP:
            world.terminal.plug()
        life = world.life
        if life is not None and world.terminal.powered:
            state = life.runner.state
            if state.phase is Phase.LOGGED_OUT or state.reason is Reason.DOUBTS:
                await world.bring(ev.LoginAsked())
            elif state.attempt is not None:
                if state.attempt.address != world.terminal.address:  # asked there until known
                    await world.terminal.move(state.attempt.address)
            elif state.terminal.address != world.terminal.address:
                await world.bring(ev.LearnAsked())
                await world.terminal.save()
        await trio.sleep(60.0)


async def _settles(world: World, seconds: float) -> bool:
    """Whether the lane is idle within so many seconds, and the terminal too."""
    with trio.move_on_after(seconds):
        await _settled(world)
        return True
    return False


async def _settled(world: World) -> None:
    terminal = world.terminal
    await world.idle()
    await trio.sleep(60.0)  # what is set aside is asked after
    await world.idle()
    await terminal.until(lambda: not terminal.running)
