"""`kill -9` at chosen moments while payments run, and the comparison of the books afterwards."""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal

import trio
from msgspec import Struct

from kill.shop import FINAL, Payment, Shop, shop
from kill.victim import Corpse
from laned.simulator import SCENARIOS, State

SETTLES_WITHIN = 20.0
"""Seconds in which a terminal that was started again has told, or it is set aside."""
LONGEST_LIFE = 2.5
"""Seconds after which a daemon is killed although what was aimed at has not come."""
ENDS_ALONE_WITHIN = 3.0
"""Seconds in which a life ends what is in no doubt: it is at the terminal, or was decided there."""
PATIENT_LIVES = 2
"""Lives in a row that leave the same payment until the terminal is started again: what a terminal
does not know is asked about for longer than any of these lives lasts."""
BETWEEN_READS = 0.05
"""Seconds between two reads of a living daemon's journal."""
LOOK = 0.0005
"""Seconds between two looks at the journal's file."""
AIMS = ("any", "starting", "recovering", "written", "paying", "charged")
ENDINGS = ("happy", "happy", "happy", "declined", "customer-cancel", "signature-declined")
MID_PAYMENT = ("recorded, not sent", "at the terminal", "decided, not recorded")
STARTS_WITHIN = 20.0  # seconds for a daemon to answer


class Report(Struct, frozen=True):
    """How a run went. `hits`: what the daemon was at when it was killed."""

    kills: int
    payments: int
    outcomes: Counter[str]
    charges: int
    reversals: int
    hits: Counter[str]
    faults: list[str]
    seconds: float

    @property
    def mid_payment(self) -> int:
        """How many kills came while a payment was unfinished."""
        return sum(self.hits[kind] for kind in MID_PAYMENT)

    def __str__(self) -> str:
        lines = [
            f"{self.kills} kills, {self.payments} payments, {self.charges} charges,"
            f" {self.reversals} reversals in {self.seconds:.0f} s"
        ]
        for title, counter in (("killed while", self.hits), ("outcomes", self.outcomes)):
            told = ", ".join(f"{name} {count}" for name, count in counter.most_common())
            lines.append(f"{title}: {told}")
        return "\n".join([*lines, *(f"FAULT {fault}" for fault in self.faults)])


async def run(kills: int, seed: int, say: Callable[[str], None] = lambda _: None) -> Report:
    """Kill a daemon so many times, let the last life finish, and compare the books."""
    began = time.monotonic()
    async with shop(seed) as found:
        executioner = _Executioner(found, random.Random(seed), say)
        customers = _Customers(found, random.Random(seed + 1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(customers.come)
            for _ in range(kills):
                await executioner.one_life()
            customers.enough = True
            found.daemon.start()
            await executioner.settle()
        found.daemon.must_live()
        payments = {}
        for payment_id in found.till.asked:
            status, payment = 0, None
            with trio.fail_after(STARTS_WITHIN):  # the last life has only just been started
                while status == 0:
                    status, payment = await found.till.ask("GET", f"/v1/payments/{payment_id}")
                    await trio.sleep(0.02)
            payments[payment_id] = payment if status == 200 else None
        found.daemon.kill()
        corpse = found.daemon.corpse()
        faults = [*executioner.faults, *found.wrongs, *found.terminal.violations]
        faults += _on_disk(found, corpse)
        faults += compare(found, payments)
        return Report(
            kills=kills,
            payments=len(payments),
            outcomes=Counter(
                payment["state"] if payment else "LOST" for payment in payments.values()
            ),
            charges=sum(entry.state is State.CHARGED for entry in found.terminal.ledger),
            reversals=sum(entry.state is State.REVERSED for entry in found.terminal.ledger),
            hits=executioner.hits,
            faults=faults,
            seconds=time.monotonic() - began,
        )


class _Customers:
    """One payment after the other, of every kind."""

    def __init__(self, found: Shop, rng: random.Random) -> None:
        self.enough = False
        self._shop = found
        self._rng = rng

    async def come(self) -> None:
        number = 0
        while not self.enough:
            number += 1
            self._shop.terminal.scenario = SCENARIOS[self._rng.choice(ENDINGS)]
            body: Payment = {"amount": f"{number}.{self._rng.randrange(100):02d}"}
            if self._rng.random() < 0.1:
                body["type"] = "refund"
            if self._rng.random() < 0.2:
                body["confirm"] = "button"
            abort = self._rng.random() < 0.1
            payment = await self._shop.till.pay(f"k{number}", body, abort=abort)
            plain = payment["type"] == "payment" and payment["state"] == "approved"
            if plain and self._rng.random() < 0.2:
                await self._shop.till.reverse(f"k{number}")


class _Executioner:
    """Starts the daemon and kills it, and looks at what is on disk then."""

    def __init__(self, found: Shop, rng: random.Random, say: Callable[[str], None]) -> None:
        self.hits: Counter[str] = Counter()
        self.faults: list[str] = []
        self._lives_in_doubt = 0  # in a row, which left what the one before had left
        self._unfinished: set[str] = set()
        self._shop = found
        self._rng = rng
        self._say = say

    async def one_life(self) -> None:
        aim = self._rng.choice(AIMS)
        heard = len(self._shop.terminal.requests)
        self._shop.daemon.start()
        if self._lives_in_doubt >= PATIENT_LIVES:
            await self.settle()
        with trio.move_on_after(LONGEST_LIFE):
            await self._moment(aim)
        self._shop.daemon.kill()
        corpse = self._shop.daemon.corpse()
        hit = _hit(self._shop, corpse, heard)
        self.hits[hit] += 1
        self.faults += _on_disk(self._shop, corpse)
        same = self._unfinished & corpse.unfinished
        self._lives_in_doubt = self._lives_in_doubt + 1 if same else 0
        self._unfinished = corpse.unfinished
        self._say(f"aimed at {aim}: {hit}")

    async def settle(self) -> None:
        """Let the living daemon end what lives have left: the power was cut for the terminal, too.

        Without a session it is at work on nothing, and one question about each is enough.
        """
        left, self._lives_in_doubt = self._unfinished, 0
        with trio.move_on_after(ENDS_ALONE_WITHIN):
            await self._ended(left)
            return
        await self._shop.terminal.reboot()
        with trio.move_on_after(SETTLES_WITHIN):
            await self._ended(left)
            return
        self.faults.append(f"{left} is in doubt {SETTLES_WITHIN:g} s after the terminal's start")

    async def _ended(self, payments: set[str]) -> None:
        while not payments.isdisjoint(self._shop.daemon.unfinished()):  # noqa: ASYNC110
            await trio.sleep(BETWEEN_READS)

    async def _moment(self, aim: str) -> None:
        """Wait for the moment of this life's end."""
        terminal, rng = self._shop.terminal, self._rng
        match aim:
            case "any":
                await trio.sleep(rng.uniform(0, 1.2))
            case "starting":
                await trio.sleep(rng.uniform(0.05, 0.4))
            case "recovering":
                seen = len(terminal.requests)
                await terminal.until(lambda: len(terminal.requests) > seen)
                await trio.sleep(rng.choice((0, rng.uniform(0, 0.02), rng.uniform(0, 2.2))))
            case "written":
                await self._written(rng.randrange(1, 16))
                await trio.sleep(rng.choice((0, rng.uniform(0, 0.003))))
            case "paying":
                before = terminal.running
                await terminal.until(lambda: terminal.running not in ("", before))
                await trio.sleep(rng.uniform(0, 0.12))
            case _:
                moved = _moved(self._shop)
                await terminal.until(lambda: _moved(self._shop) != moved)
                await trio.sleep(rng.choice((0, rng.uniform(0, 0.01), rng.uniform(0, 0.04))))

    async def _written(self, times: int) -> None:
        """Wait until the journal was written to so many times."""
        for _ in range(times):
            before = self._stamp()
            while self._stamp() == before:  # noqa: ASYNC110 - another process writes it
                await trio.sleep(LOOK)

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._shop.daemon.wal.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_mtime_ns, found.st_size


def _moved(found: Shop) -> int:
    """How often money has moved at the terminal."""
    steps = {State.CHARGED: 1, State.REVERSED: 2}
    return sum(steps.get(entry.state, 0) for entry in found.terminal.ledger)


def _hit(found: Shop, corpse: Corpse, heard: int) -> str:
    """What the daemon was at when it was killed."""
    newest = list(corpse.attempts)[-1:]
    if not corpse.unfinished:
        return "starting" if len(found.terminal.requests) == heard else "idle"
    if not newest or corpse.attempts[newest[0]] not in corpse.unfinished:
        return "pending"
    if found.terminal.running == newest[0]:
        return "at the terminal"
    received = {request.service_id for request in found.terminal.requests}
    return "decided, not recorded" if newest[0] in received else "recorded, not sent"


def _on_disk(found: Shop, corpse: Corpse) -> list[str]:
    """Money rule 1, as the dead daemon left it: what was sent or told is on disk."""
    faults = []
    if corpse.sound != "ok":
        faults.append(f"integrity_check: {corpse.sound}")
    faults += [
        f"{request.category} {request.service_id} was sent and is not in the journal"
        for request in found.terminal.requests
        if request.category in ("Payment", "Reversal") and request.service_id not in corpse.attempts
    ]
    for payment_id, payment in found.till.told.items():
        state, on_disk = payment["state"], corpse.states.get(payment_id)
        if state == "approved":
            kept = on_disk in ("approved", "reversed")
        else:
            kept = on_disk == state if state in FINAL else on_disk is not None
        if not kept:
            faults.append(f"{payment_id} was told as {state}, and is {on_disk} on disk")
    return faults


def compare(found: Shop, payments: dict[str, Payment | None]) -> list[str]:
    """The terminal's books beside the daemon's: every difference."""
    booked: defaultdict[str, list[tuple[State, str, Decimal]]] = defaultdict(list)
    for entry in found.terminal.ledger:
        payment_id = entry.sale_transaction_id.rpartition(".")[0]
        if entry.state in (State.CHARGED, State.REVERSED):
            kind = "refund" if entry.type == "Refund" else "payment"
            booked[payment_id].append((entry.state, kind, entry.amount))
    faults = [f"{name} is charged and was never asked" for name in booked.keys() - payments.keys()]
    expected = {"approved": State.CHARGED, "reversed": State.REVERSED}
    for payment_id, payment in payments.items():
        if payment is None:
            faults.append(f"{payment_id} is lost")
            continue
        if payment["state"] == "unknown" and payment["set_aside_at"] is not None:
            if len(booked[payment_id]) > 1:
                faults.append(f"{payment_id} is set aside, and booked {booked[payment_id]}")
            continue
        state = expected.get(payment["state"])
        amount = Decimal(found.till.asked[payment_id]["amount"])
        wanted = [] if state is None else [(state, payment["type"], amount)]
        if booked[payment_id] != wanted:
            faults.append(f"{payment_id} is {payment['state']}, the books say {booked[payment_id]}")
        told = found.till.told[payment_id]
        if told["state"] not in ("unknown", payment["state"]):
            faults.append(f"{payment_id} was told as {told['state']}, is {payment['state']}")
    return faults
