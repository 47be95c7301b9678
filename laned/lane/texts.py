"""laned's own words on the display, in the customer's language."""

from types import MappingProxyType
from typing import Final, Literal

Language = Literal["en", "sv", "no", "da", "fi"]
Text = Literal[
    "welcome",
    "please_wait",
    "offline",
    "closed",
    "maintenance",
    "checking",
    "out_of_service",
    "pay_question",
    "refund_question",
    "start",
    "cancel",
    "abort",
    "approve",
    "decline",
]

_ENGLISH: Final[dict[Text, str]] = {
    "welcome": "Welcome",
    "please_wait": "Please wait",
    "offline": "Card terminal offline",
    "closed": "Closed",
    "maintenance": "Maintenance",
    "checking": "Checking last payment",
    "out_of_service": "Out of service",
    "pay_question": "Pay?",
    "refund_question": "Refund?",
    "start": "Pay",
    "cancel": "Cancel",
    "abort": "Cancel",
    "approve": "Approve",
    "decline": "Decline",
}
_SWEDISH: Final[dict[Text, str]] = {
    "welcome": "Välkommen",
    "please_wait": "Vänta",
    "offline": "Kortterminalen saknar kontakt",
    "closed": "Stängt",
    "maintenance": "Underhåll",
    "checking": "Kontrollerar senaste köpet",
    "out_of_service": "Ur funktion",
    "pay_question": "Betala?",
    "refund_question": "Återbetala?",
    "start": "Betala",
    "cancel": "Avbryt",
    "abort": "Avbryt",
    "approve": "Godkänn",
    "decline": "Neka",
}
_NORWEGIAN: Final[dict[Text, str]] = {
    "welcome": "Velkommen",
    "please_wait": "Vent litt",
    "offline": "Kortterminalen er frakoblet",
    "closed": "Stengt",
    "maintenance": "Vedlikehold",
    "checking": "Sjekker siste betaling",
    "out_of_service": "Ute av drift",
    "pay_question": "Betale?",
    "refund_question": "Refundere?",
    "start": "Betal",
    "cancel": "Avbryt",
    "abort": "Avbryt",
    "approve": "Godkjenn",
    "decline": "Avvis",
}
_DANISH: Final[dict[Text, str]] = {
    "welcome": "Velkommen",
    "please_wait": "Vent venligst",
    "offline": "Kortterminalen er afbrudt",
    "closed": "Lukket",
    "maintenance": "Vedligehold",
    "checking": "Kontrollerer seneste betaling",
    "out_of_service": "Ude af drift",
    "pay_question": "Betale?",
    "refund_question": "Refundere?",
    "start": "Betal",
    "cancel": "Afbryd",
    "abort": "Afbryd",
    "approve": "Godkend",
    "decline": "Afvis",
}
_FINNISH: Final[dict[Text, str]] = {
    "welcome": "Tervetuloa",
    "please_wait": "Odota",
    "offline": "Korttipääte ei vastaa",
    "closed": "Suljettu",
    "maintenance": "Huolto",
    "checking": "Tarkistetaan edellistä maksua",
    "out_of_service": "Epäkunnossa",
    "pay_question": "Maksetaanko?",
    "refund_question": "Palautetaanko?",
    "start": "Maksa",
    "cancel": "Peruuta",
    "abort": "Peruuta",
    "approve": "Hyväksy",
    "decline": "Hylkää",
}
TEXTS: Final = MappingProxyType(
    {"en": _ENGLISH, "sv": _SWEDISH, "no": _NORWEGIAN, "da": _DANISH, "fi": _FINNISH}
)
