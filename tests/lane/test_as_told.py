"""What the terminal says, as the till is told of it."""

from decimal import Decimal

import pytest

from laned.lane.payment import as_written, card_from
from laned.nexo.messages import CardData


@pytest.mark.parametrize(
    ("amount", "told"),
    [("38", "38.00"), ("38.5", "38.50"), ("38.000", "38.00"), ("0", "0.00"), ("38.005", "38.005")],
)
def test_amounts_have_the_currencys_decimals(amount: str, told: str) -> None:
    assert str(as_written(Decimal(amount), "SEK")) == told


def test_an_amount_that_was_not_told_is_none() -> None:
    assert as_written(None, "SEK") is None


@pytest.mark.parametrize(
    ("written", "brand"),
    [
        ("01,Mastercard Debit", "Mastercard Debit"),
        ("04,Visa", "Visa"),
        ("Visa", "Visa"),
        ("12,A, B and C", "A, B and C"),
        ("01,", "01,"),
        ("Dankort,Visa", "Dankort,Visa"),
        ("", ""),
    ],
)
def test_a_brand_is_told_by_its_name(written: str, brand: str) -> None:
    card = card_from(CardData(brand=written, masked_pan="4", entry_mode="ICC"))
    assert card is not None
    assert card.brand == brand
