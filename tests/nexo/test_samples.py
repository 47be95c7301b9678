"""Whole messages as tills and terminals write them: ours in samples/, and those beside the repo."""

from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from altered import alterations, valued
from lxml import etree
from shared import SAMPLES, needs_shared, schema
from terminal_grammar import terminal_faults

from laned.nexo import decode, encode
from laned.nexo import messages as m
from laned.simulator import wire

OURS = Path(__file__).parent / "samples"
SENT = ("Login", "Logout", "Payment", "Abort", "Reversal", "TransactionStatus")
NOT_READ = ("CardAcquisition", "EnableService")


def kinds(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.xml"))}


def payment(folder: Path, name: str) -> m.PaymentResponse:
    body = decode((folder / f"{name}.xml").read_bytes()).body
    assert isinstance(body, m.PaymentResponse)
    return body


def check_read(sample: Path) -> None:
    """The body is read as what the file's name says."""
    body = decode(sample.read_bytes()).body
    element = sample.stem.partition("-")[0]
    if element.startswith(NOT_READ):
        assert isinstance(body, m.UnknownBody)
        assert body.element == element
    else:
        assert type(body).__name__ == element


def check_rewritten(folder: Path, category: str) -> None:
    """What laned could have sent itself is the same after reading and writing it."""
    samples = sorted(folder.glob(f"{category}Request*.xml"))
    assert samples
    for sample in samples:
        message = decode(sample.read_bytes())
        assert decode(encode(message)) == message


@pytest.mark.parametrize("name", kinds(OURS))
def test_every_sample_is_read(name: str) -> None:
    check_read(OURS / f"{name}.xml")


@pytest.mark.parametrize("category", SENT)
def test_samples_of_what_laned_sends_survive_writing(category: str) -> None:
    check_rewritten(OURS, category)


@pytest.mark.parametrize("category", SENT)
def test_samples_of_what_laned_sends_are_what_a_terminal_takes(category: str) -> None:
    for sample in sorted(OURS.glob(f"{category}Request*.xml")):
        message = wire.read_request(sample.read_bytes())
        assert (message.faults, message.remarks) == ((), ()), sample


def test_a_payment_with_all_that_it_may_have() -> None:
    body = payment(OURS, "PaymentResponse")
    assert body.response.success
    assert body.sale_transaction == m.TransactionID("602", "2026-02-03T10:20:30+01:00")
    assert body.poi_transaction == m.TransactionID("7420000015", "2026-02-03T09:20:44.120Z")
    assert body.card == m.CardData(
        brand="04,Visa", masked_pan="457199******0042", entry_mode="ICC", token="00FFB6D1"
    )
    assert body.amounts == m.AmountsResp(
        authorized_amount=Decimal("130.5"),
        currency="SEK",
        cash_back_amount=Decimal(20),
        tip_amount=Decimal("10.5"),
    )
    assert body.approval_code == "A1B2C3"
    assert [(each.qualifier, each.signature_block, each.lines) for each in body.receipts] == [
        (
            "CashierReceipt",
            True,
            ("Fjällboden", "KÖP 120,00 SEK", "", "Underskrift: ________"),
        ),
        ("CustomerReceipt", False, ("Fjällboden", "KÖP 120,00 SEK", "Godkänt")),
    ]


def test_a_refused_payment_tells_why_and_nothing_else() -> None:
    body = payment(OURS, "PaymentResponse-declined")
    assert body.response == m.Response(
        result="Failure", error_condition="Refusal", additional_response="Medges ej"
    )
    assert body.poi_transaction == m.TransactionID("7420000014", "2026-02-03T09:20:41.000Z")
    assert (body.card, body.amounts, body.receipts) == (None, None, ())


def test_a_payment_without_a_card() -> None:
    body = payment(OURS, "PaymentResponse-mobile")
    assert (body.card, body.approval_code) == (None, None)
    assert body.amounts is not None
    assert body.amounts.authorized_amount == 38
    assert body.receipts[0].lines[2] == "Ref.nr: 1000200030004000"


def test_a_repeated_payment_is_the_payment() -> None:
    body = decode((OURS / "TransactionStatusResponse.xml").read_bytes()).body
    assert isinstance(body, m.TransactionStatusResponse)
    assert body.repeated is not None
    assert body.repeated.header.service_id == "602"
    assert body.repeated.body == payment(OURS, "PaymentResponse")


@needs_shared
@pytest.mark.parametrize("name", kinds(SAMPLES))
def test_every_sample_beside_the_repository_is_read(name: str) -> None:
    check_read(SAMPLES / f"{name}.xml")


@needs_shared
@pytest.mark.parametrize("category", SENT)
def test_samples_beside_the_repository_survive_writing(category: str) -> None:
    check_rewritten(SAMPLES, category)


@needs_shared
def test_the_payment_beside_the_repository() -> None:
    body = payment(SAMPLES, "PaymentResponse")
    assert body.amounts is not None
    assert body.amounts.authorized_amount == Decimal(56)
    assert body.card is not None
    assert body.card.brand == "01,Mastercard Debit"
    assert [(receipt.qualifier, receipt.signature_block) for receipt in body.receipts] == [
        ("CashierReceipt", False),
        ("CustomerReceipt", False),
    ]
    assert "Godkänd" in body.receipts[0].lines


# -- The schema's shape, in both directions -------------------------------------------------------


@pytest.mark.parametrize("name", kinds(OURS))
def test_every_sample_keeps_the_grammar(name: str) -> None:
    assert terminal_faults(ElementTree.parse(OURS / f"{name}.xml").getroot()) == []


def test_an_altered_sample_does_not_keep_it() -> None:
    samples = [path.read_bytes() for path in kinds(OURS).values()]
    altered = {what: data for sample in samples for what, data in alterations(sample)}
    refused = {
        what for what, data in altered.items() if terminal_faults(ElementTree.fromstring(data))
    }
    assert {
        "PaymentResponse without POIData",
        "PaymentResponse with SaleData before Response",
        "POITransactionID without @TimeStamp",
        "AmountsResp without @AuthorizedAmount",
        "RepeatedMessageResponse without PaymentResponse",
        "DisplayOutput without OutputContent",
        "InputData without @InputCommand",
        "EventNotification without @TimeStamp",
        "TransmitRequest without Message",
    } <= refused
    assert len(refused) > 200


@needs_shared
def test_the_schemas_verdicts_on_samples_are_the_grammars() -> None:
    judge = schema()
    assert judge is not None
    seen = set[str]()
    for sample in kinds(OURS).values():
        data = sample.read_bytes()
        judge.assertValid(etree.fromstring(data))
        for what, altered in alterations(data):
            if what not in seen:
                verdict = not terminal_faults(ElementTree.fromstring(altered))
                assert judge.validate(etree.fromstring(altered)) == verdict, what
        seen |= {what for what, _ in alterations(data)}
        for where, value, altered in valued(data):
            if f"{where} {value}" not in seen and not terminal_faults(
                ElementTree.fromstring(altered)
            ):
                assert judge.validate(etree.fromstring(altered)), f"{where} {value}"
                seen.add(f"{where} {value}")
