"""The nexo Retailer 3.1 messages that laned sends and receives, as frozen values.

Names follow the schema (`RequestedAmount` is `requested_amount`). Where the terminal may send an
enumeration value that the schema does not know, the field is a plain ``str`` and keeps what came;
the ``StrEnum`` classes hold the values that laned decides by. Source: protocol description,
sections Header, Session, Payment and "What the terminal posts to us".
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from laned.nexo.header import CONTENT_TYPE as CONTENT_TYPE
from laned.nexo.header import PATH as PATH
from laned.nexo.header import PROTOCOL_VERSION as PROTOCOL_VERSION
from laned.nexo.header import Category as Category
from laned.nexo.header import Header as Header
from laned.nexo.header import MessageClass as MessageClass
from laned.nexo.header import MessageType as MessageType
from laned.nexo.header import request_header as request_header
from laned.nexo.header import response_header as response_header

# SaleCapabilities of the two modes: with the first the terminal posts to our listener.
DEFAULT_INTEGRATION = (
    "CashierStatus",
    "CashierError",
    "CashierDisplay",
    "POIReplication",
    "CustomerAssistance",
    "CashierInput",
    "PrinterReceipt",
)
LIGHT_INTEGRATION = ("PrinterReceipt",)


class Result(StrEnum):
    """Response Result."""

    SUCCESS = "Success"
    FAILURE = "Failure"
    PARTIAL = "Partial"


class ErrorCondition(StrEnum):
    """Response ErrorCondition; the terminal may send others."""

    ABORTED = "Aborted"
    BUSY = "Busy"
    CANCEL = "Cancel"
    DEVICE_OUT = "DeviceOut"
    INSERTED_CARD = "InsertedCard"
    IN_PROGRESS = "InProgress"
    LOGGED_OUT = "LoggedOut"
    MESSAGE_FORMAT = "MessageFormat"
    NOT_ALLOWED = "NotAllowed"
    NOT_FOUND = "NotFound"
    PAYMENT_RESTRICTION = "PaymentRestriction"
    REFUSAL = "Refusal"
    UNAVAILABLE_DEVICE = "UnavailableDevice"
    UNAVAILABLE_SERVICE = "UnavailableService"
    INVALID_CARD = "InvalidCard"
    UNREACHABLE_HOST = "UnreachableHost"
    WRONG_PIN = "WrongPIN"


NO_SESSION = frozenset({ErrorCondition.NOT_ALLOWED, ErrorCondition.LOGGED_OUT})
"""What a request without a session is answered with."""


class Response(Struct, frozen=True, kw_only=True):
    """Response: the outcome that every response body carries."""

    result: str
    error_condition: str | None = None
    additional_response: str = ""

    @property
    def success(self) -> bool:
        """Whether Result is Success."""
        return self.result == Result.SUCCESS


class TransactionID(Struct, frozen=True):
    """SaleTransactionID or POITransactionID. `timestamp` is kept verbatim: a reversal echoes it."""

    transaction_id: str
    timestamp: str


class MessageReference(Struct, frozen=True, kw_only=True):
    """MessageReference: another message, named by its header."""

    category: str | None = None
    service_id: str | None = None
    device_id: str | None = None
    sale_id: str | None = None
    poi_id: str | None = None


# -- Session ------------------------------------------------------------------------------------


class LoginRequest(Struct, frozen=True, kw_only=True):
    """LoginRequest. `capabilities`: DEFAULT_INTEGRATION or LIGHT_INTEGRATION (section Session)."""

    date_time: datetime
    operator_language: str
    provider: str
    application: str
    software_version: str
    capabilities: tuple[str, ...]


class LoginResponse(Struct, frozen=True, kw_only=True):
    """LoginResponse; `serial_number` and `software` are empty when the terminal left them out."""

    response: Response
    serial_number: str = ""
    software: str = ""
    global_status: str = ""


class LogoutRequest(Struct, frozen=True, kw_only=True):
    """LogoutRequest; `maintenance_allowed` lets the terminal update itself."""

    maintenance_allowed: bool = False


class LogoutResponse(Struct, frozen=True, kw_only=True):
    """LogoutResponse."""

    response: Response


# -- Payment ------------------------------------------------------------------------------------


class PaymentType(StrEnum):
    """PaymentData PaymentType."""

    NORMAL = "Normal"
    REFUND = "Refund"


class PaymentRequest(Struct, frozen=True, kw_only=True):
    """PaymentRequest. `reference` is the purchase order number, `token` asks for the card alias."""

    transaction: TransactionID
    requested_amount: Decimal
    currency: str
    payment_type: PaymentType = PaymentType.NORMAL
    cash_back_amount: Decimal | None = None
    reference: str | None = None
    token: bool = False


class CardData(Struct, frozen=True, kw_only=True):
    """CardData: brand as the terminal wrote it (``01,Mastercard Debit``), PAN always masked."""

    brand: str = ""
    masked_pan: str = ""
    entry_mode: str = ""
    token: str | None = None


class AmountsResp(Struct, frozen=True, kw_only=True):
    """AmountsResp."""

    authorized_amount: Decimal
    currency: str | None = None
    cash_back_amount: Decimal | None = None
    tip_amount: Decimal | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """A receipt decoded from its base64 JSON: printable `lines`, the whole document in `data`.

    `signature_block` is ``Mandatory.Payment.SignatureBlock``. A receipt that could not be decoded
    has its raw text as the only line and no data.
    """

    qualifier: str
    lines: tuple[str, ...]
    data: dict[str, object] | None = None
    signature_block: bool = False


class PaymentResponse(Struct, frozen=True, kw_only=True):
    """PaymentResponse; `instrument` is the PaymentInstrumentType (Card, Mobile, and others)."""

    response: Response
    sale_transaction: TransactionID | None = None
    poi_transaction: TransactionID | None = None
    payment_type: str | None = None
    instrument: str | None = None
    card: CardData | None = None
    amounts: AmountsResp | None = None
    approval_code: str | None = None
    receipts: tuple[Receipt, ...] = ()


class AbortRequest(Struct, frozen=True, kw_only=True):
    """AbortRequest; answered with HTTP 204, the aborted request itself tells the outcome."""

    reference: MessageReference
    reason: str


class ReversalReason(StrEnum):
    """ReversalRequest ReversalReason, as far as the vendor documents it."""

    MERCHANT_CANCEL = "MerchantCancel"
    MALFUNCTION = "Malfunction"


class ReversalRequest(Struct, frozen=True, kw_only=True):
    """ReversalRequest: only for the terminal's last transaction, only if it succeeded."""

    poi_transaction: TransactionID
    reason: ReversalReason
    sale_id: str
    poi_id: str


class ReversalResponse(Struct, frozen=True, kw_only=True):
    """ReversalResponse; carries a receipt of its own."""

    response: Response
    poi_transaction: TransactionID | None = None
    receipts: tuple[Receipt, ...] = ()


class TransactionStatusRequest(Struct, frozen=True, kw_only=True):
    """TransactionStatusRequest; without reference it asks for the terminal's last transaction."""

    reference: MessageReference | None = None


class RepeatedMessage(Struct, frozen=True, kw_only=True):
    """RepeatedMessageResponse: an earlier response, its header always with a ServiceID."""

    header: Header
    body: "PaymentResponse | ReversalResponse | UnknownBody"


class TransactionStatusResponse(Struct, frozen=True, kw_only=True):
    """TransactionStatusResponse."""

    response: Response
    reference: MessageReference | None = None
    repeated: RepeatedMessage | None = None


class AdminRequest(Struct, frozen=True, kw_only=True):
    """AdminRequest: asks the terminal to look for updates."""

    service_identification: str | None = None


class AdminResponse(Struct, frozen=True, kw_only=True):
    """AdminResponse."""

    response: Response


# -- What the terminal posts ----------------------------------------------------------------------


class OutputText(Struct, frozen=True):
    """One OutputText: the text without its code, and the integer text id that came before it."""

    text: str
    code: int | None = None


class DisplayOutput(Struct, frozen=True, kw_only=True):
    """DisplayOutput. `response_required` is None when the attribute is absent (answered 204)."""

    device: str
    info_qualify: str
    texts: tuple[OutputText, ...] = ()
    response_required: bool | None = None
    minimum_display_time: int = 0


class DisplayRequest(Struct, frozen=True, kw_only=True):
    """DisplayRequest: what the terminal's own display shows."""

    outputs: tuple[DisplayOutput, ...]


class OutputResult(Struct, frozen=True, kw_only=True):
    """OutputResult: echoes device and qualifier of the output that it answers."""

    device: str
    info_qualify: str
    response: Response


class DisplayResponse(Struct, frozen=True, kw_only=True):
    """DisplayResponse: one result per output, in order."""

    results: tuple[OutputResult, ...]


class InputCommand(StrEnum):
    """InputData InputCommand that laned answers."""

    GET_CONFIRMATION = "GetConfirmation"


class InputRequest(Struct, frozen=True, kw_only=True):
    """InputRequest; `max_input_time` in seconds, None when the terminal sets no bound."""

    device: str
    info_qualify: str
    command: str
    display: DisplayOutput | None = None
    max_input_time: int | None = None


class InputResponse(Struct, frozen=True, kw_only=True):
    """InputResponse to a GetConfirmation: result of the output if one came, then the answer."""

    device: str
    info_qualify: str
    command: str
    response: Response
    output: OutputResult | None = None
    confirmed: bool | None = None


class ResponseMode(StrEnum):
    """PrintOutput ResponseMode: whether and when the terminal wants a PrintResponse."""

    NOT_REQUIRED = "NotRequired"
    IMMEDIATE = "Immediate"
    PRINT_END = "PrintEnd"


class DocumentQualifier(StrEnum):
    """What a printed document is."""

    CASHIER_RECEIPT = "CashierReceipt"
    CUSTOMER_RECEIPT = "CustomerReceipt"


class PrintRequest(Struct, frozen=True, kw_only=True):
    """PrintRequest: a document to print, usually the merchant receipt to be signed."""

    response_mode: str
    receipt: Receipt


class PrintResponse(Struct, frozen=True, kw_only=True):
    """PrintResponse."""

    qualifier: str
    response: Response


class EventNotification(Struct, frozen=True, kw_only=True):
    """EventNotification; `rejected` is the decoded text of a rejected message."""

    event: str
    timestamp: str
    details: str = ""
    maintenance_required: bool = False
    rejected: str | None = None


class TransmitRequest(Struct, frozen=True, kw_only=True):
    """TransmitRequest: a message for a host; port 15022 marks the terminal's own address."""

    destination: str
    message: bytes
    wait_response: bool = False


class UnknownBody(Struct, frozen=True):
    """A body element that laned has no use for, by name; `response` if it carries one."""

    element: str
    response: Response | None = None


Body = (
    LoginRequest
    | LoginResponse
    | LogoutRequest
    | LogoutResponse
    | PaymentRequest
    | PaymentResponse
    | AbortRequest
    | ReversalRequest
    | ReversalResponse
    | TransactionStatusRequest
    | TransactionStatusResponse
    | AdminRequest
    | AdminResponse
    | DisplayRequest
    | DisplayResponse
    | InputRequest
    | InputResponse
    | PrintRequest
    | PrintResponse
    | EventNotification
    | TransmitRequest
    | UnknownBody
)


class Message(Struct, frozen=True):
    """A whole message: SaleToPOIRequest or SaleToPOIResponse."""

    header: Header
    body: Body
