"""What a till may write: the request bodies, and what is made of them."""

import re
from codecs import BOM_UTF8
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from laned.config import toml_reader as tables
from laned.config.schema import Config, Currency, decimals
from laned.journal.store import hash_of
from laned.lane.payment import Confirm, Order, PaymentKind
from laned.nexo.messages import ReversalReason
from laned.till.problems import ProblemError

MAX_BODY: Final = 64 * 1024
MAX_REFERENCE: Final = 64
MAX_NOTE: Final = 500
MAX_PRESS: Final = 60.0  # seconds

# What "$" means after a line feed differs between Python and JSON Schema; this does not.
_END: Final = r"(?![\s\S])"
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_REFERENCE,
        pattern=rf"^[!-~\u00a1-\u024f\u20ac][ -~\u00a0-\u024f\u20ac]*{_END}",
        description="a purchase order number: 1 to 64 Latin letters, digits and signs, the first"
        " of them no blank",
    ),
]
Amount = Annotated[
    str,
    Meta(
        pattern=rf"^(?=.*[1-9])[0-9]{{1,9}}(\.[0-9]{{1,2}})?{_END}",
        description='a decimal string above zero with at most two decimals, such as "38.00"',
        examples=["38.00"],
    ),
]
PAYMENT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,36}")

B = TypeVar("B", bound="RequestBody")


class RequestBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of the request bodies: unknown fields are refused."""


class PaymentBody(RequestBody, frozen=True, kw_only=True):
    """`PUT /v1/payments/{id}`: what to ask the terminal for; null stands for the default."""

    amount: Amount
    currency: Currency | None = None
    type: PaymentKind = "payment"
    cash_back: Amount | None = None
    confirm: Confirm | None = None
    reference: Reference | None = None
    token: bool = False


class PromptBody(RequestBody, frozen=True, kw_only=True):
    """`POST /v1/prompts/{id}`."""

    confirmed: bool


class ReversalBody(RequestBody, frozen=True, kw_only=True):
    """`POST /v1/payments/{id}/reversal`; Malfunction: the product did not drop."""

    reason: ReversalReason


class ResolveBody(RequestBody, frozen=True, kw_only=True):
    """`POST /v1/payments/{id}/resolve`: a person's verdict on an unknown payment."""

    state: Literal["approved", "failed"]
    note: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_NOTE,
            description=f"a text of 1 to {MAX_NOTE} characters: why you are sure",
        ),
    ]


class LogoutBody(RequestBody, frozen=True, kw_only=True):
    """`POST /v1/session/logout`: with `maintenance` the terminal may update itself."""

    maintenance: bool = False


class PressBody(RequestBody, frozen=True, kw_only=True):
    """`POST /v1/buttons/{name}/press`: how long the button is held."""

    seconds: Annotated[
        float,
        Meta(gt=0, le=MAX_PRESS, description=f"a number of seconds above 0, at most {MAX_PRESS:g}"),
    ] = 0.1


def read(content: bytes, kind: type[B]) -> B:
    """The request body, checked: ProblemError `bad_request` or `invalid` (names the field).

    An empty content is an empty object where nothing must be in it: a POST without a body is what
    curl sends by default. A byte order mark, which Windows' editors put there, is not looked at.
    """
    content = content.removeprefix(BOM_UTF8)
    if not content and any(field.required for field in msgspec.structs.fields(kind)):
        raise ProblemError("bad_request", "there is no body, and one in JSON is needed")
    content = content or b"{}"
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        field = _field(str(error))
        detail = _explained(field, content, kind) or str(error)
        raise ProblemError("invalid", detail, field=field) from None
    except (ValueError, RecursionError) as error:
        raise ProblemError("bad_request", f"the body is not JSON: {error}") from None


def _explained(field: str | None, content: bytes, kind: type[RequestBody]) -> str:
    """What was found in a field and what is expected there; empty if it is no field of ours."""
    entry = next((one for one in msgspec.structs.fields(kind) if one.name == field), None)
    if entry is None:
        return ""
    wanted = tables.words(tables.without_none(entry.type))
    try:
        found = msgspec.json.decode(content)
    except (ValueError, RecursionError):  # what follows the field is no JSON, or too deep
        return f"{field}: must be {wanted}"
    if field not in found:
        return f"{field}: not given; must be {wanted}"
    return f"{field}: {tables.shown(found[field])} is not {wanted}"


def _field(message: str) -> str | None:
    """The field that msgspec's message speaks of."""
    named = re.search(r"field `([^`]{1,64})`", message) or re.search(
        r"at `\$\.([^`]{1,64})`", message
    )
    return named[1] if named else None


def order(payment_id: str, body: PaymentBody, config: Config) -> Order:
    """The order that a till's body means, defaults filled in: ProblemError `invalid`.

    `payment.max_amount` is not looked at: a payment that was made stays what it is.
    """
    if not PAYMENT_ID.fullmatch(payment_id):
        detail = "a payment's id is 1 to 36 of A-Za-z0-9._-"
        raise ProblemError("invalid", detail, field="id")
    currency = body.currency or config.terminal.currency
    exponent = Decimal(1).scaleb(-decimals(currency))
    amount = Decimal(body.amount).quantize(exponent)
    cash_back = Decimal(body.cash_back).quantize(exponent) if body.cash_back else None
    if cash_back is not None and body.type == "refund":
        raise ProblemError("invalid", "a refund has no cash back", field="cash_back")
    if cash_back is not None and cash_back > amount:
        detail = "cash back is a part of the amount, it cannot be more"
        raise ProblemError("invalid", detail, field="cash_back")
    as_asked = msgspec.structs.replace(
        body, amount=str(amount), cash_back=str(cash_back) if cash_back else None
    )
    return Order(
        id=payment_id,
        type=body.type,
        amount=amount,
        currency=currency,
        cash_back=cash_back,
        confirm=body.confirm or config.payment.confirm,
        reference=body.reference,
        token=body.token,
        fingerprint=hash_of(as_asked),
    )


def too_much(order: Order, config: Config) -> ProblemError | None:
    """Why `order` is over `payment.max_amount`, or None."""
    limit = config.payment.limit
    if limit is None or order.amount <= limit:
        return None
    detail = f"{order.amount} is over payment.max_amount, {limit}"
    return ProblemError("invalid", detail, field="amount")
