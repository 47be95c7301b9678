"""Receipts as these terminals send them: base64 of UTF-8 JSON, with ready lines in Swedish.

The texts, the shop and the numbers are made up; the shape follows the protocol description,
section Payment.
"""

import base64
import json
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

MERCHANT_ID = "20417735"
TERMINAL_ID = "664210"
WIDTH = 24
_SHOP = {
    "Address1": "Östra Ågatan 7",
    "BankAgentName": "Ekbanken",
    "Name": "Kiosk Blåbär & Gädda",
    "OrganisationNumber": "559900-0013",
    "PostZipCode": "75322",
    "TownCity": "Uppsala",
}
_PHONE = "+4618000000"
_TITLES = {"Normal": "KÖP", "Refund": "RETUR"}
_TYPES = {"Normal": "00", "Refund": "20"}


class Slip(Struct, frozen=True):
    """What a pair of receipts is about."""

    type: str
    amount: Decimal
    tip: Decimal
    currency: str
    brand: str
    masked_pan: str
    entry: str
    approved: bool
    signature: bool
    pin: bool
    approval_code: str
    receipt_number: str
    reference: str
    """The till's TransactionID."""
    time: datetime
    reversal: bool = False


def receipt(slip: Slip, *, merchant: bool) -> str:
    """The merchant's or the customer's receipt, as it stands in OutputText."""
    pan = slip.masked_pan if merchant else slip.masked_pan[-4:].rjust(len(slip.masked_pan), "*")
    label = slip.brand.partition(",")[2] or slip.brand
    content = {
        "Mandatory": _mandatory(slip, pan, label),
        "Optional": {
            "CardAcceptor": {"CountryName": "752", "PhoneNumber": _PHONE},
            "CardDetails": {"CardSchemeName": {"ApplicationLabel": label}},
            "Payment": {"Reference": slip.reference},
            "ReceiptString": _lines(slip, pan, label, merchant=merchant),
        },
    }
    document = {"Merchant" if merchant else "Cardholder": content}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def comma(amount: Decimal) -> str:
    """An amount with two decimals and a decimal comma, as receipts have it."""
    return f"{amount:.2f}".replace(".", ",")


def _mandatory(slip: Slip, pan: str, label: str) -> dict[str, object]:
    verification = "@" if slip.pin else "a" if slip.signature else "/"
    return {
        "Acquirer": {"CardAcceptorNumber": MERCHANT_ID, "TerminalID": TERMINAL_ID},
        "CardAcceptor": _SHOP,
        "CardDetails": {
            "ApplicationIdentifier": "A0000000041010",
            "CardSchemeName": {"ApplicationLabel": label},
            "PrimaryAccountNumber": pan,
            "TerminalVerificationResult": "0000048001",
            "TransactionStatusInformation": "E800" if slip.entry == "ICC" else "0000",
        },
        "Outcome": {
            "ApprovalCode": slip.approval_code if slip.approved else "",
            "AuthorisationResponder": "3",
            "AuthorisationResponseCode": "00" if slip.approved else "05",
            "DebitStatus": "91" if slip.reversal else "00",
        },
        "Payment": {
            "AuthorisationChannel": "1",
            "CardholderVerificationMethod": verification,
            "Currency": slip.currency,
            "FinancialInstitution": "EKB",
            "PaymentAmount": comma(slip.amount),
            "ReceiptNumber": slip.receipt_number,
            "SignatureBlock": slip.signature and slip.approved and not slip.reversal,
            "TotalAmount": comma(slip.amount + slip.tip),
            "TransactionSource": "C" if slip.entry == "ICC" else "K",
            "TransactionType": _TYPES[slip.type],
        },
        "TimeStamp": {
            "DateOfPayment": f"{slip.time:%Y-%m-%d}",
            "TimeOfPayment": f"{slip.time:%H:%M}",
        },
    }


def _lines(slip: Slip, pan: str, label: str, *, merchant: bool) -> list[str]:
    lines = [
        _SHOP["Name"],
        _SHOP["Address1"],
        f"{_SHOP['PostZipCode']} {_SHOP['TownCity']}",
        f"Org.nr: {_SHOP['OrganisationNumber']}",
        f"{slip.time:%Y-%m-%d %H:%M}",
        "",
        label,
        "Chip" if slip.entry == "ICC" else "Kontaktlöst",
        pan,
        f"Butik/terminal: {MERCHANT_ID}/{TERMINAL_ID}",
        f"Ref: {slip.receipt_number}",
        "",
        _amount_line(_TITLES[slip.type], slip.amount, slip.currency),
    ]
    if slip.tip:
        lines.append(_amount_line("DRICKS", slip.tip, slip.currency))
        lines.append(_amount_line("TOTALT", slip.amount + slip.tip, slip.currency))
    if slip.reversal:
        lines.append("MAKULERAT KÖP" if slip.type == "Normal" else "MAKULERAD RETUR")
    else:
        lines.append("Godkänt" if slip.approved else "Medges ej")
    if slip.approved:
        lines.append(f"Kontrollnr: {slip.approval_code}")
    if slip.pin:
        lines.append("Personlig kod")
    if slip.signature and slip.approved and not slip.reversal and merchant:
        lines += ["", "Godkänns för debitering", "", "." * WIDTH, "Kundens underskrift"]
    return [*lines, "", "Butikens exemplar" if merchant else "Kundens exemplar – spara kvittot"]


def _amount_line(title: str, amount: Decimal, currency: str) -> str:
    value = f"{comma(amount)} {currency}"
    return f"{title}:".ljust(WIDTH - len(value)) + value
