"""Each scenario of the simulated terminal, from the till's PUT to the last event."""

from pathlib import Path
from typing import Any

import pytest
import trio
from tillstream import Stream
from trio.testing import MockClock
from wholelane import lane

from laned.hardware.drawing import draw
from laned.views.screen import Icon, Screen

BUTTON = {"signature": "button"}
TILL = {"signature": "till"}
WIDTH, HEIGHT = 128, 64


def shown(stream: Stream) -> list[str]:
    return [" / ".join(display["lines"]) for display in stream.of("display")]


async def test_happy_tells_what_the_customer_sees_in_order(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        payment = await rig.pay()
        await stream.until("display", lines=["Welcome"])
        assert payment["state"] == "approved"
        assert shown(stream) == [
            "Please wait",
            "Present card",
            "Enter PIN",
            "Enter PIN: *",
            "Enter PIN: **",
            "Enter PIN: ***",
            "Enter PIN: ****",
            "Authorizing",
            "Approved",
            "Welcome",
        ]
        assert [p["state"] for p in stream.of("payment")] == ["processing", "approved"]
        assert [s["state"] for s in stream.of("session")] == ["busy", "ready"]
        names = [told.name for told in stream.told]
        assert names[0] == "lane"
        assert names.index("payment") < names.index("display")
        codes = {display["lines"][0]: display["code"] for display in stream.of("display")}
        assert codes["Approved"] == 9202
        assert codes["Enter PIN: ***"] is None
        sources = [display["source"] for display in stream.of("display")]
        assert sources == ["lane", *["terminal"] * 9]


async def test_the_final_payment_has_everything_a_till_needs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        payment = await rig.pay("kvitto_17-A.b", "1234.5", token=True, reference="Order 7")
        (entry,) = rig.terminal.ledger
        (attempt,) = payment["attempts"]
        assert attempt["transaction_id"] == entry.sale_transaction_id
        assert attempt["service_id"] == entry.service_id
        assert attempt["transaction_id"].startswith("kvitto_17-A.b.")
        assert len(attempt["transaction_id"]) == len("kvitto_17-A.b.") + 8
        card, receipts = payment["card"], payment["receipts"]
        assert card["brand"] == "Mastercard Debit"
        assert card["masked_pan"] == "535312******4478"
        assert card["entry_mode"] == "Contactless"
        assert card["token"]
        assert payment["poi_transaction"] == {
            "id": entry.poi_transaction_id,
            "timestamp": entry.timestamp,
        }
        assert len(payment["approval_code"]) == 6
        assert (payment["amount"], payment["currency"]) == ("1234.50", "SEK")
        assert payment["authorized_amount"] == "1234.50"
        for document, pan in (("customer", "************4478"), ("merchant", "535312******4478")):
            lines = receipts[document]["lines"]
            assert lines[:2] == ["Kiosk Blåbär & Gädda", "Östra Ågatan 7"]
            assert pan in lines
            assert "KÖP:         1234,50 SEK" in lines
            assert isinstance(receipts[document]["data"], dict)
        assert receipts["customer"]["lines"][-1] == "Kundens exemplar – spara kvittot"
        absent = ("error", "cash_back", "tip_amount", "signature", "reversal", "resolved")
        assert {name: payment[name] for name in absent} == dict.fromkeys(absent)
        assert payment["created_at"] < payment["updated_at"]
        assert payment["created_at"].endswith("Z")
        assert await rig.payment("kvitto_17-A.b") == payment


async def test_the_panel_shows_stars_amount_and_button_pixel_for_pixel(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        await rig.put()
        await stream.until("display", lines=["Enter PIN: ***"])
        await trio.testing.wait_all_tasks_blocked()
        answer = await rig.get("/v1/display.png")
        expected = Screen(
            lines=("Enter PIN: ***",), amount="38.00 SEK", abort="Cancel", icon=Icon.CARD
        )
        assert answer.headers["content-type"] == "image/png"
        assert pixels(answer.content) == (WIDTH, HEIGHT, draw(expected, (WIDTH, HEIGHT)).tobytes())
        large = await rig.get("/v1/display.png?scale=3")
        assert pixels(large.content)[:2] == (3 * WIDTH, 3 * HEIGHT)
        await rig.payment(wait=600)


def pixels(png: bytes) -> tuple[int, int, bytes]:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return (*image.size, image.convert("1").tobytes())


async def test_declined_has_the_terminals_reason_and_its_receipts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, "declined") as rig, rig.stream() as stream:
        payment = await rig.pay()
        assert payment["state"] == "declined"
        assert payment["error"] == {
            "condition": "Refusal",
            "message": "Payment refused by the issuer",
        }
        assert payment["card"]["masked_pan"] == "453201******7716"
        assert "Medges ej" in payment["receipts"]["customer"]["lines"]
        assert payment["authorized_amount"] is None
        assert [card["action"] for card in stream.of("card")] == ["inserted", "removed"]


async def test_customer_cancel(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path, "customer-cancel") as rig:
        payment = await rig.pay()
        assert payment["state"] == "aborted"
        assert payment["error"]["condition"] == "Cancel"
        assert payment["abort_requested"] is False
        assert payment["receipts"] == {"customer": None, "merchant": None}


async def test_refund(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        payment = await rig.pay("r-1", "12.30", type="refund")
        assert (payment["type"], payment["state"]) == ("refund", "approved")
        assert "RETUR:         12,30 SEK" in payment["receipts"]["customer"]["lines"]
        assert "Enter PIN" not in shown(stream)
        assert rig.terminal.ledger.balance() == -payment_amount(payment)


def payment_amount(payment: Any) -> Any:
    from decimal import Decimal

    return Decimal(payment["amount"])


async def test_cash_back_and_another_currency(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        payment = await rig.pay("c-1", "300", cash_back="100.0", currency="NOK")
        assert (payment["amount"], payment["cash_back"]) == ("300.00", "100.00")
        assert (payment["currency"], payment["state"]) == ("NOK", "approved")


# -- Abort ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["button", "till"])
async def test_abort_at_present_card(tmp_path: Path, autojump_clock: MockClock, by: str) -> None:
    async with lane(tmp_path, "aborted") as rig, rig.stream() as stream:
        await rig.put()
        await stream.until("display", lines=["Present card"])
        if by == "button":
            await rig.press("abort")
            pressed = await stream.until("button", name="abort", action="pressed")
            await stream.until("button", name="abort", action="released")
            assert pressed.data == {"name": "abort", "action": "pressed"}
        else:
            answer = await rig.post("/v1/payments/p-1/abort")
            assert answer.status_code == 202
            assert answer.json()["abort_requested"] is True
        payment = await rig.payment(wait=60)
        assert (payment["state"], payment["abort_requested"]) == ("aborted", True)
        assert payment["error"]["condition"] == "Aborted"
        assert rig.world.categories().count("Abort") == 1
        again = await rig.post("/v1/payments/p-1/abort")
        assert (again.status_code, again.json()["code"]) == (409, "not_abortable")


async def test_an_abort_that_comes_too_late_leaves_the_payment_approved(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        await rig.put()
        await stream.until("display", lines=["Authorizing"])
        await rig.press("abort")
        payment = await rig.payment(wait=60)
        assert (payment["state"], payment["abort_requested"]) == ("approved", True)


# -- Signatures -----------------------------------------------------------------------------------


async def asked(stream: Stream) -> Any:
    """The open signature prompt."""
    return (await stream.until("prompt", kind="signature")).data


@pytest.mark.parametrize(
    ("button", "signature", "state"),
    [("confirm", "approved", "approved"), ("abort", "declined", "declined")],
)
async def test_a_button_answers_the_signature(
    tmp_path: Path, autojump_clock: MockClock, button: str, signature: str, state: str
) -> None:
    async with (
        lane(tmp_path, f"signature-{signature}", payment=BUTTON) as rig,
        rig.stream() as stream,
    ):
        await rig.put()
        prompt = await asked(stream)
        assert set(prompt) == {"id", "kind", "text", "expires_at"}
        assert prompt["text"] == "Signature approved?"
        view = await rig.view()
        assert view["prompt"] == prompt
        assert view["display"]["lines"] == ["Signature approved?"]
        assert (view["payment"], view["session"]["state"]) == ("p-1", "busy")
        await rig.press(button)
        payment = await rig.payment(wait=60)
        assert (payment["state"], payment["signature"]) == (state, signature)
        (closed,) = [p for p in stream.of("prompt") if "by" in p]
        assert closed == prompt | {"answer": state == "approved", "by": "button"}
        late = await rig.post(f"/v1/prompts/{prompt['id']}", {"confirmed": True})
        assert (late.status_code, late.json()["code"]) == (409, "prompt_closed")
        (printed,) = stream.of("print")
        assert (printed["document"], printed["payment"]) == ("merchant", "p-1")
        assert "Kundens underskrift" in printed["lines"]
        assert "Abort" not in rig.world.categories()


@pytest.mark.parametrize("policy", [BUTTON, TILL])
@pytest.mark.parametrize(("confirmed", "state"), [(True, "approved"), (False, "declined")])
async def test_the_till_answers_the_signature(
    tmp_path: Path,
    autojump_clock: MockClock,
    policy: dict[str, str],
    confirmed: bool,
    state: str,
) -> None:
    async with (
        lane(tmp_path, "signature-approved", payment=policy) as rig,
        rig.stream() as stream,
    ):
        await rig.put()
        prompt = await asked(stream)
        path = f"/v1/prompts/{prompt['id']}"
        answer = await rig.post(path, {"confirmed": confirmed})
        assert answer.status_code == 200
        assert answer.json() == {"id": prompt["id"], "answer": confirmed, "by": "till"}
        late = await rig.post(path, {"confirmed": not confirmed})
        assert (late.status_code, late.json()["code"]) == (409, "prompt_closed")
        assert (await rig.payment(wait=60))["state"] == state


async def test_of_two_answers_at_once_one_wins(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with (
        lane(tmp_path, "signature-approved", payment=TILL) as rig,
        rig.stream() as stream,
    ):
        await rig.put()
        prompt = await asked(stream)
        answers: dict[bool, int] = {}

        async def answer(confirmed: bool) -> None:
            reply = await rig.post(f"/v1/prompts/{prompt['id']}", {"confirmed": confirmed})
            answers[confirmed] = reply.status_code

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, True)
            nursery.start_soon(answer, False)
        assert sorted(answers.values()) == [200, 409]
        payment = await rig.payment(wait=60)
        assert payment["state"] == ("approved" if answers[True] == 200 else "declined")


async def test_with_the_tills_policy_buttons_do_not_answer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        lane(tmp_path, "signature-approved", payment=TILL) as rig,
        rig.stream() as stream,
    ):
        await rig.put()
        prompt = await asked(stream)
        for button in ("confirm", "abort"):
            await rig.press(button)
            await stream.until("button", name=button, action="released")
        assert (await rig.view())["prompt"] == prompt
        await rig.post(f"/v1/prompts/{prompt['id']}", {"confirmed": True})
        assert (await rig.payment(wait=60))["state"] == "approved"
        assert "Abort" not in rig.world.categories()


async def test_an_abort_during_the_signature_declines_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        lane(tmp_path, "signature-approved", payment=TILL) as rig,
        rig.stream() as stream,
    ):
        await rig.put()
        await asked(stream)
        assert (await rig.post("/v1/payments/p-1/abort")).status_code == 202
        payment = await rig.payment(wait=60)
        assert (payment["state"], payment["signature"]) == ("declined", "declined")
        assert "Abort" not in rig.world.categories()


async def test_a_signature_that_nobody_answers_is_declined_in_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    policy = TILL | {"signature_timeout": 20.0}
    async with (
        lane(tmp_path, "signature-approved", payment=policy) as rig,
        rig.stream() as stream,
    ):
        await rig.put()
        opened = await stream.until("prompt", kind="signature")
        payment = await rig.payment(wait=120)
        closed = await stream.until("prompt", by="timeout")
        assert closed.data["answer"] is False
        assert closed.at - opened.at == pytest.approx(20.0, abs=0.01)
        assert (payment["state"], payment["signature"]) == ("declined", "declined")


async def test_without_a_policy_signatures_are_declined_and_nobody_is_asked(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, "signature-approved") as rig, rig.stream() as stream:
        payment = await rig.pay()
        assert (payment["state"], payment["signature"]) == ("declined", "declined")
        assert stream.of("prompt") == []
