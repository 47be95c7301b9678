"""One of every message that laned sends, and the very bytes that it is written as."""

import base64
import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import msgspec

from laned.nexo import messages as m

SUMMER = timezone(timedelta(hours=2))
LOGIN = m.LoginRequest(
    date_time=datetime(2025, 6, 7, 8, 9, 10, 987654, tzinfo=SUMMER),
    operator_language="sv",
    provider="laned",
    application="laned",
    software_version="0.1.0",
    capabilities=m.DEFAULT_INTEGRATION,
)
SALE = m.TransactionID("glass-1.k3jx90ab", "2025-06-07T08:09:10+02:00")
PAYMENT = m.PaymentRequest(
    transaction=SALE,
    requested_amount=Decimal("120.00"),
    currency="SEK",
    cash_back_amount=Decimal(20),
    reference="Beställning 7",
    token=True,
)
RUNNING = m.MessageReference(
    category=m.Category.PAYMENT, service_id="17", sale_id="kassa-2", poi_id="kiosk-7"
)
OK = m.Response(result=m.Result.SUCCESS)
REFUSED = m.Response(
    result=m.Result.FAILURE, error_condition=m.ErrorCondition.BUSY, additional_response="Väntar"
)
SHOWN = m.OutputResult(device="CashierDisplay", info_qualify="Status", response=OK)
ANSWER = m.InputResponse(
    device="CashierInput",
    info_qualify="Input",
    command=m.InputCommand.GET_CONFIRMATION,
    response=OK,
    output=SHOWN,
    confirmed=False,
)

REQUEST = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<SaleToPOIRequest>'
    '<MessageHeader ProtocolVersion="3.1" MessageClass="Service" MessageCategory="{}" '
    'MessageType="Request" ServiceID="17" SaleID="kassa-2" POIID="kiosk-7" />{}</SaleToPOIRequest>'
)
RESPONSE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<SaleToPOIResponse>'
    '<MessageHeader MessageClass="Device" MessageCategory="{}" '
    'MessageType="Response" ServiceID="17" DeviceID="3" SaleID="kassa-2" POIID="kiosk-7" />{}'
    "</SaleToPOIResponse>"
)


def request(category: m.Category, body: m.Body) -> m.Message:
    header = m.request_header(category, service_id="17", sale_id="kassa-2", poi_id="kiosk-7")
    return m.Message(header, body)


def response(category: m.Category, body: m.Body) -> m.Message:
    asked = m.Header(
        message_class=m.MessageClass.DEVICE,
        category=category,
        type=m.MessageType.REQUEST,
        sale_id="kassa-2",
        poi_id="kiosk-7",
        service_id="17",
        device_id="3",
        protocol_version="3.1",
    )
    return m.Message(m.response_header(asked), body)


def to_acquirer(number: str) -> str:
    document = json.dumps({"purchaseOrderNumber": number}, separators=(",", ":"))
    return base64.b64encode(document.encode()).decode()


SOFTWARE = (
    '<SaleSoftware ProviderIdentification="laned" ApplicationName="laned" '
    'SoftwareVersion="0.1.0" />'
)
LOGIN_BODY = (
    '<LoginRequest OperatorLanguage="sv"><DateTime>2025-06-07T08:09:10+02:00</DateTime>'
    f'{SOFTWARE}<SaleTerminalData TerminalEnvironment="Attended"><SaleCapabilities>{{}}'
    "</SaleCapabilities>{}</SaleTerminalData></LoginRequest>"
)
GOLDEN: dict[str, tuple[m.Message, str]] = {
    "login": (
        request(m.Category.LOGIN, LOGIN),
        REQUEST.format(
            "Login",
            LOGIN_BODY.format(
                "CashierStatus CashierError CashierDisplay POIReplication CustomerAssistance "
                "CashierInput PrinterReceipt",
                '<SaleProfile GenericProfile="Extended"><ServiceProfiles>Loyalty PIN CardReader'
                "</ServiceProfiles></SaleProfile>",
            ),
        ),
    ),
    "login light": (
        request(m.Category.LOGIN, msgspec.structs.replace(LOGIN, capabilities=m.LIGHT_INTEGRATION)),
        REQUEST.format("Login", LOGIN_BODY.format("PrinterReceipt", "")),
    ),
    "logout": (
        request(m.Category.LOGOUT, m.LogoutRequest(maintenance_allowed=True)),
        REQUEST.format("Logout", '<LogoutRequest MaintenanceAllowed="true" />'),
    ),
    "payment": (
        request(m.Category.PAYMENT, PAYMENT),
        REQUEST.format(
            "Payment",
            '<PaymentRequest><SaleData TokenRequestedType="Customer">'
            '<SaleTransactionID TransactionID="glass-1.k3jx90ab" '
            'TimeStamp="2025-06-07T08:09:10+02:00" />'
            f"<SaleToAcquirerData>{to_acquirer('Beställning 7')}</SaleToAcquirerData></SaleData>"
            '<PaymentTransaction><AmountsReq Currency="SEK" RequestedAmount="120.00" '
            'CashBackAmount="20" /></PaymentTransaction>'
            '<PaymentData PaymentType="Normal" /></PaymentRequest>',
        ),
    ),
    "refund": (
        request(
            m.Category.PAYMENT,
            m.PaymentRequest(
                transaction=SALE,
                requested_amount=Decimal("1E+2"),
                currency="NOK",
                payment_type=m.PaymentType.REFUND,
            ),
        ),
        REQUEST.format(
            "Payment",
            '<PaymentRequest><SaleData><SaleTransactionID TransactionID="glass-1.k3jx90ab" '
            'TimeStamp="2025-06-07T08:09:10+02:00" /></SaleData><PaymentTransaction>'
            '<AmountsReq Currency="NOK" RequestedAmount="100" /></PaymentTransaction>'
            '<PaymentData PaymentType="Refund" /></PaymentRequest>',
        ),
    ),
    "abort": (
        request(m.Category.ABORT, m.AbortRequest(reference=RUNNING, reason="Kunden ångrade <sig>")),
        REQUEST.format(
            "Abort",
            '<AbortRequest><MessageReference MessageCategory="Payment" ServiceID="17" '
            'SaleID="kassa-2" POIID="kiosk-7" /><AbortReason>Kunden ångrade &lt;sig&gt;'
            "</AbortReason></AbortRequest>",
        ),
    ),
    "status of the last": (
        request(m.Category.TRANSACTION_STATUS, m.TransactionStatusRequest()),
        REQUEST.format("TransactionStatus", "<TransactionStatusRequest />"),
    ),
    "status": (
        request(m.Category.TRANSACTION_STATUS, m.TransactionStatusRequest(reference=RUNNING)),
        REQUEST.format(
            "TransactionStatus",
            '<TransactionStatusRequest><MessageReference MessageCategory="Payment" '
            'ServiceID="17" SaleID="kassa-2" POIID="kiosk-7" /></TransactionStatusRequest>',
        ),
    ),
    "reversal": (
        request(
            m.Category.REVERSAL,
            m.ReversalRequest(
                poi_transaction=m.TransactionID("990017", "2025-06-07T06:09:44.120Z"),
                reason=m.ReversalReason.MALFUNCTION,
                sale_id="kassa-2",
                poi_id="kiosk-7",
            ),
        ),
        REQUEST.format(
            "Reversal",
            '<ReversalRequest ReversalReason="Malfunction"><OriginalPOITransaction '
            'SaleID="kassa-2" POIID="kiosk-7"><POITransactionID TransactionID="990017" '
            'TimeStamp="2025-06-07T06:09:44.120Z" /></OriginalPOITransaction></ReversalRequest>',
        ),
    ),
    "admin": (
        request(m.Category.ADMIN, m.AdminRequest()),
        REQUEST.format("Admin", "<AdminRequest />"),
    ),
    "admin, named": (
        request(m.Category.ADMIN, m.AdminRequest(service_identification="Update")),
        REQUEST.format(
            "Admin",
            "<AdminRequest><ServiceIdentification>Update</ServiceIdentification></AdminRequest>",
        ),
    ),
    "display": (
        response(m.Category.DISPLAY, m.DisplayResponse(results=(SHOWN, SHOWN))),
        RESPONSE.format(
            "Display",
            "<DisplayResponse>" + '<OutputResult Device="CashierDisplay" InfoQualify="Status">'
            '<Response Result="Success" /></OutputResult>' * 2 + "</DisplayResponse>",
        ),
    ),
    "input": (
        response(m.Category.INPUT, ANSWER),
        RESPONSE.format(
            "Input",
            '<InputResponse><OutputResult Device="CashierDisplay" InfoQualify="Status">'
            '<Response Result="Success" /></OutputResult>'
            '<InputResult Device="CashierInput" InfoQualify="Input"><Response Result="Success" />'
            '<Input InputCommand="GetConfirmation"><ConfirmedFlag>false</ConfirmedFlag></Input>'
            "</InputResult></InputResponse>",
        ),
    ),
    "input refused": (
        response(
            m.Category.INPUT,
            m.InputResponse(
                device="CashierInput", info_qualify="Input", command="Password", response=REFUSED
            ),
        ),
        RESPONSE.format(
            "Input",
            '<InputResponse><InputResult Device="CashierInput" InfoQualify="Input">'
            '<Response Result="Failure" ErrorCondition="Busy">'
            "<AdditionalResponse>Väntar</AdditionalResponse></Response>"
            "</InputResult></InputResponse>",
        ),
    ),
    "print": (
        response(m.Category.PRINT, m.PrintResponse(qualifier="CashierReceipt", response=OK)),
        RESPONSE.format(
            "Print",
            '<PrintResponse DocumentQualifier="CashierReceipt"><Response Result="Success" />'
            "</PrintResponse>",
        ),
    ),
}
