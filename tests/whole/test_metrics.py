"""`GET /metrics`: what a whole lane has done, in numbers that agree with what the till was told."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from posts import peer
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock
from wholelane import Rig, lane, world

from laned.journal.store import JournalError
from laned.system.metrics import Histogram

TILL = {"signature": "till"}
SETTLED = {"approved", "declined", "aborted", "failed", "reversed"}


class Figures:
    """One scrape."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.text = answer.text
        self.types: dict[str, str] = {}
        self._samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in text_string_to_metric_families(answer.text):
            assert family.documentation
            self.types[family.name] = family.type
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self._samples
                self._samples[key] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        return self._samples[(name, frozenset(labels.items()))]

    def with_label(self, name: str, label: str) -> dict[str, float]:
        """The values of `name` that are not 0, by one of its labels."""
        return {
            dict(labels)[label]: value
            for (sample, labels), value in self._samples.items()
            if sample == name and value
        }


async def figures(rig: Rig) -> Figures:
    return Figures(await rig.get("/metrics"))


async def test_a_day_in_numbers(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        before = await figures(rig)
        assert before("laned_payments_total", type="payment", outcome="approved") == 0
        assert before("laned_logins_total", outcome="accepted") == 1
        assert before("laned_session_state", state="ready") == 1
        written = before("laned_journal_write_seconds_count")

        seconds = []
        for payment_id, kind in (("p-1", "payment"), ("p-2", "payment"), ("p-3", "refund")):
            began = autojump_clock.current_time()
            await rig.pay(payment_id, type=kind)
            seconds.append(autojump_clock.current_time() - began)
            await rig.settled()
        assert (await rig.put("p-1", "39.00")).status_code == 409
        assert (await rig.put("p-1")).status_code == 200

        now = await figures(rig)
        assert now("laned_payments_total", type="payment", outcome="approved") == 2
        assert now("laned_payments_total", type="refund", outcome="approved") == 1
        assert now("laned_payment_duration_seconds_count") == 3
        assert now("laned_payment_duration_seconds_sum") == pytest.approx(sum(seconds), abs=0.1)
        assert now("laned_payment_duration_seconds_bucket", le="600.0") == 3
        assert now("laned_payment_duration_seconds_bucket", le="1.0") == 0
        assert now("laned_journal_write_seconds_count") >= written + 6
        assert now("laned_events_total", event="PaymentAsked") == 3
        assert now("laned_callbacks_total", kind="display") > 10
        assert now("laned_display_frames_total") > 3
        assert now("laned_display_errors_total") == 0
        assert now("laned_http_responses_total", to="till", status="201") == 3
        assert now("laned_http_responses_total", to="till", status="409") == 1
        assert now("laned_next_service_id") > before("laned_next_service_id")
        assert now("process_resident_memory_bytes") > 1_000_000


async def test_names_are_as_prometheus_wants_them(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        now = await figures(rig)
        ours = {name: kind for name, kind in now.types.items() if name.startswith("laned_")}
        assert set(ours.values()) == {"gauge", "counter", "histogram"}
        for name, kind in ours.items():
            assert not name.endswith("_total")
            assert (kind == "histogram") == name.endswith("_seconds")
            if kind == "counter":
                assert f"# TYPE {name}_total counter" in now.text


Act = Callable[[Rig], Coroutine[Any, Any, None]]


async def declined_by_button(rig: Rig) -> None:
    await rig.put()
    await rig.lane.watch.until(lambda state: state.prompt)
    await rig.press("abort")
    await rig.payment(wait=600)


async def approved_by_till(rig: Rig) -> None:
    await rig.put()
    prompt = await rig.lane.watch.until(lambda state: state.prompt)
    await rig.post(f"/v1/prompts/{prompt.id}", {"confirmed": True})
    await rig.payment(wait=600)


async def nobody_answers(rig: Rig) -> None:
    await rig.pay()


@pytest.mark.parametrize(
    ("policy", "act", "by", "outcome", "presses"),
    [
        ("button", declined_by_button, "button", "declined", {"abort": 1}),
        ("till", approved_by_till, "till", "approved", {}),
        ("till", nobody_answers, "timeout", "declined", {}),
    ],
)
async def test_prompts_by_who_answered_and_buttons(
    tmp_path: Path,
    autojump_clock: MockClock,
    policy: str,
    act: Act,
    by: str,
    outcome: str,
    presses: dict[str, float],
) -> None:
    async with lane(tmp_path, "signature-approved", payment={"signature": policy}) as rig:
        await act(rig)
        now = await figures(rig)
        assert now.with_label("laned_prompt_answers_total", "by") == {by: 1}
        assert now.with_label("laned_payments_total", "outcome") == {outcome: 1}
        assert now.with_label("laned_button_presses_total", "button") == presses


async def test_an_approved_payment_and_its_reversal(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await rig.pay()
        await rig.settled()
        await rig.post("/v1/payments/p-1/reversal", {"reason": "MerchantCancel"})
        assert (await figures(rig))("laned_unfinished_reversal") == 1
        await rig.payment(wait=600)
        now = await figures(rig)
        assert now.with_label("laned_payments_total", "outcome") == {"approved": 1}
        assert now.with_label("laned_reversals_total", "outcome") == {"done": 1}
        assert now("laned_unfinished_reversal") == 0
        assert now("laned_payment_duration_seconds_count") == 1


async def test_a_payment_that_light_integration_takes_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    light = {"mode": "light", "language": "sv"}
    async with lane(tmp_path, "light-signature-declined", lane=light) as rig:
        await rig.pay()
        now = await figures(rig)
        assert now("laned_info", lane="lane1", mode="light", version="0.1.0") == 1
        assert now.with_label("laned_payments_total", "outcome") == {"declined": 1}
        assert now.with_label("laned_reversals_total", "outcome") == {"done": 1}


async def test_a_verdict_and_the_life_after_a_crash(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path, "reboot-forgets") as found:
        found.callbacks_may_fail = True
        rig = await found.start()
        await rig.put()
        await rig.lane.watch.until(lambda state: True if state.unknown else None)
        now = await figures(rig)
        assert now("laned_unfinished_payment", state="unknown") == 1
        assert now("laned_payments_set_aside") == 0
        await rig.payment(wait=60)
        now = await figures(rig)
        assert now.with_label("laned_unfinished_payment", "state") == {}
        assert now("laned_payments_set_aside") == 1
        assert now.with_label("laned_doubts_total", "what") == {"set_aside": 1}
        assert now.with_label("laned_payments_total", "outcome") == {}
        assert now("laned_payment_duration_seconds_count") == 1, "until it was set aside"
        await rig.kill()
        rig = await found.start()
        now = await figures(rig)
        assert now("laned_payments_set_aside") == 1
        assert now.with_label("laned_doubts_total", "what") == {}
        answer = await rig.post(
            "/v1/payments/p-1/resolve", {"state": "approved", "note": "seen at the bank"}
        )
        assert answer.status_code == 200, answer.text
        now = await figures(rig)
        assert now.with_label("laned_payments_total", "outcome") == {"approved": 1}
        assert now.with_label("laned_doubts_total", "what") == {"resolved": 1}
        assert now("laned_payments_set_aside") == 0
        assert now("laned_payment_duration_seconds_count") == 0, "its beginning was not seen"
        await rig.kill()


async def test_logins_and_refused_posts(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        async with peer(rig) as terminal:
            await terminal.post(b"<nonsense/>")
        async with peer(rig, "198.51.100.9") as stranger:
            await stranger.post(b"<nonsense/>")
        rig.world.network.unplugged = True
        await rig.post("/v1/session/login")
        now = await figures(rig)
        assert now("laned_http_responses_total", to="terminal", status="400") == 1
        assert now("laned_http_responses_total", to="terminal", status="403") == 1
        assert now.with_label("laned_logins_total", "outcome") == {"accepted": 1, "unanswered": 1}
        assert now.with_label("laned_session_state", "state") == {"offline": 1}
        rig.world.network.unplugged = False


async def test_the_journal_and_the_panel_in_trouble(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    broken = {"driver": "ssd1306", "language": "en"}
    async with lane(tmp_path, display=broken) as rig:

        def full() -> None:
            raise JournalError("no room", "full")

        rig.journal.make_room = full  # type: ignore[union-attr,method-assign]
        assert (await rig.put()).status_code == 503
        now = await figures(rig)
        assert now.with_label("laned_journal_state", "state") == {"full": 1}
        assert now("laned_hardware_state", part="display", state="failing") == 1
        assert now("laned_display_errors_total") > 1
        assert now("laned_display_frames_total") == 0


def test_a_histogram() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.note(seconds)
    assert histogram.buckets() == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]
    assert histogram.total == pytest.approx(7.65)
