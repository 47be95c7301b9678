"""Messages as a terminal (or laned) would write them, made up for these tests."""

import base64
import json


def message(category: str, kind: str, body: str, *, ids: str = 'ServiceID="17"') -> bytes:
    """A message with class Service, SaleID kassa-2 and POIID kiosk-7."""
    root = "SaleToPOIResponse" if kind == "Response" else "SaleToPOIRequest"
    header = (
        f'<MessageHeader MessageClass="Service" MessageCategory="{category}" '
        f'MessageType="{kind}" {ids} SaleID="kassa-2" POIID="kiosk-7"/>'
    )
    return f"<{root}>{header}{body}</{root}>".encode()


def base64_json(document: object) -> str:
    return base64.b64encode(json.dumps(document, ensure_ascii=False).encode()).decode()


MERCHANT: dict[str, object] = {
    "Merchant": {
        "Mandatory": {"Payment": {"SignatureBlock": True, "PaymentAmount": "120,00"}},
        "Optional": {"ReceiptString": ["Fjällboden", "KÖP 120,00 SEK", "", "Underskrift"]},
    }
}
CARDHOLDER: dict[str, object] = {
    "Cardholder": {
        "Mandatory": {"Payment": {"SignatureBlock": False}},
        "Optional": {"ReceiptString": ["Fjällboden", "Tack!"]},
    }
}


def receipt(qualifier: str, document: object) -> str:
    return (
        f'<PaymentReceipt DocumentQualifier="{qualifier}"><OutputContent OutputFormat="Text">'
        f"<OutputText>{base64_json(document)}</OutputText></OutputContent></PaymentReceipt>"
    )


SUCCESS = '<Response Result="Success"/>'
PAYMENT_RESPONSE = (
    f"<PaymentResponse>{SUCCESS}"
    '<SaleData><SaleTransactionID TransactionID="glass-1.k3jx90ab" '
    'TimeStamp="2025-02-03T10:20:30+01:00"/></SaleData>'
    '<POIData><POITransactionID TransactionID="990017" TimeStamp="2025-02-03T09:20:44.120Z"/>'
    "</POIData>"
    '<PaymentResult PaymentType="Normal"><PaymentInstrumentData PaymentInstrumentType="Card">'
    '<CardData PaymentBrand="04,Visa" MaskedPAN="457199******0042" EntryMode="Magstripe">'
    '<PaymentToken TokenRequestedType="Customer" TokenValue="CNA55"/></CardData>'
    "</PaymentInstrumentData>"
    '<AmountsResp Currency="SEK" AuthorizedAmount="120.00" CashBackAmount="0" TipAmount="10.5"/>'
    '<PaymentAcquirerData MerchantID="77" AcquirerPOIID="78"><ApprovalCode>A1B2C3</ApprovalCode>'
    "</PaymentAcquirerData></PaymentResult>"
    + receipt("CashierReceipt", MERCHANT)
    + receipt("CustomerReceipt", CARDHOLDER)
    + "</PaymentResponse>"
)
REVERSAL_RESPONSE = (
    f"<ReversalResponse>{SUCCESS}"
    '<POIData><POITransactionID TransactionID="990017" TimeStamp="2025-02-03T09:20:44.120Z"/>'
    "</POIData>" + receipt("CustomerReceipt", CARDHOLDER) + "</ReversalResponse>"
)


def repeated(body: str, *, category: str = "Payment", ids: str = 'ServiceID="9"') -> str:
    """A TransactionStatusResponse that repeats `body`."""
    return (
        f"<TransactionStatusResponse>{SUCCESS}"
        '<MessageReference MessageCategory="Payment" ServiceID="9" SaleID="kassa-2"/>'
        "<RepeatedMessageResponse>"
        f'<MessageHeader MessageClass="Service" MessageCategory="{category}" '
        f'MessageType="Response" {ids} SaleID="kassa-2" POIID="kiosk-7"/>'
        f"{body}</RepeatedMessageResponse></TransactionStatusResponse>"
    )


def display(*texts: str, attributes: str = "") -> str:
    """A DisplayRequest with one output of `texts`."""
    lines = "".join(f"<OutputText>{text}</OutputText>" for text in texts)
    return (
        f'<DisplayRequest><DisplayOutput Device="CashierDisplay" InfoQualify="Status" {attributes}>'
        f'<OutputContent OutputFormat="Text">{lines}</OutputContent>'
        "</DisplayOutput></DisplayRequest>"
    )


INPUT_REQUEST = (
    '<InputRequest><DisplayOutput Device="CashierDisplay" InfoQualify="Display">'
    '<OutputContent OutputFormat="Text"><OutputText>41,"Signature ok?"</OutputText>'
    "</OutputContent></DisplayOutput>"
    '<InputData Device="CashierInput" InfoQuality="Input" InputCommand="GetConfirmation" '
    'MaxInputTime="45"/></InputRequest>'
)
PRINT_REQUEST = (
    '<PrintRequest><PrintOutput DocumentQualifier="CashierReceipt" ResponseMode="Immediate">'
    f'<OutputContent OutputFormat="Text"><OutputText>{base64_json(MERCHANT)}</OutputText>'
    "</OutputContent></PrintOutput></PrintRequest>"
)
LOGIN_RESPONSE = (
    f"<LoginResponse>{SUCCESS}<POISystemData><DateTime>2025-02-03T09:00:00Z</DateTime>"
    '<POISoftware ProviderIdentification="P" ApplicationName="Kassan" SoftwareVersion="4.5"/>'
    '<POITerminalData TerminalEnvironment="Attended" POISerialNumber="2290000123">'
    "<POICapabilities>Magstripe ICC</POICapabilities></POITerminalData>"
    '<POIStatus GlobalStatus="OK"/></POISystemData></LoginResponse>'
)
EVENT = (
    '<EventNotification TimeStamp="2025-02-03T03:00:00+01:00" EventToNotify="Reject" '
    'MaintenanceRequiredFlag="true"><EventDetails>No thanks</EventDetails>'
    f"<RejectedMessage>{base64.b64encode('<smörgås/>'.encode()).decode()}</RejectedMessage>"
    "</EventNotification>"
)
TRANSMIT = (
    '<TransmitRequest DestinationAddress="127.0.0.1:15022" MaximumTransmitTime="20">'
    f"<Message>{base64.b64encode(b'{}').decode()}</Message></TransmitRequest>"
)

# One of everything that a terminal sends; the fuzz test starts from these.
FROM_TERMINAL: dict[str, bytes] = {
    "login": message("Login", "Response", LOGIN_RESPONSE),
    "logout": message("Logout", "Response", f"<LogoutResponse>{SUCCESS}</LogoutResponse>"),
    "payment": message("Payment", "Response", PAYMENT_RESPONSE),
    "reversal": message("Reversal", "Response", REVERSAL_RESPONSE),
    "status": message("TransactionStatus", "Response", repeated(PAYMENT_RESPONSE)),
    "admin": message("Admin", "Response", f"<AdminResponse>{SUCCESS}</AdminResponse>"),
    "display": message("Display", "Request", display('9202,"Approved"', "Take the card")),
    "input": message("Input", "Request", INPUT_REQUEST),
    "print": message("Print", "Request", PRINT_REQUEST),
    "event": message("Event", "Notification", EVENT),
    "transmit": message("Transmit", "Request", TRANSMIT, ids=""),
}
