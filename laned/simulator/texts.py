"""What the simulated terminal shows, in its languages.

The numbers stand in for the text ids of live terminals, whose list is not public; as there, some
texts have none.
"""

from collections.abc import Mapping

LANGUAGES = ("en", "sv", "no", "da", "fi")

_TEXTS: Mapping[str, tuple[int | None, tuple[str, str, str, str, str]]] = {
    "please_wait": (9001, ("Please wait", "Vänta", "Vennligst vent", "Vent venligst", "Odota")),
    "welcome": (9000, ("Welcome", "Välkommen", "Velkommen", "Velkommen", "Tervetuloa")),
    "present_card": (
        9101,
        ("Present card", "Visa kort", "Vis kort", "Vis kort", "Näytä kortti"),
    ),
    "enter_pin": (9110, ("Enter PIN", "Ange kod", "Tast PIN", "Indtast PIN", "Anna PIN")),
    "pin": (
        None,
        (
            "Enter PIN: {stars}",
            "Ange kod: {stars}",
            "Tast PIN: {stars}",
            "Indtast PIN: {stars}",
            "Anna PIN: {stars}",
        ),
    ),
    "authorizing": (
        9150,
        ("Authorizing", "Kontrollerar", "Autoriserer", "Godkender", "Varmennetaan"),
    ),
    "approved": (9202, ("Approved", "Godkänt", "Godkjent", "Godkendt", "Hyväksytty")),
    "declined": (9203, ("Declined", "Medges ej", "Avvist", "Afvist", "Hylätty")),
    "disapproved": (
        None,
        ("Disapproved", "Underkänd", "Ikke godkjent", "Ikke godkendt", "Ei hyväksytty"),
    ),
    "cancelled": (9210, ("Cancelled", "Avbrutet", "Avbrutt", "Afbrudt", "Peruutettu")),
    "signature": (
        9170,
        (
            "Signature approved?",
            "Godkänns signaturen?",
            "Godkjennes signaturen?",
            "Godkendes underskriften?",
            "Hyväksytäänkö allekirjoitus?",
        ),
    ),
    "reversing": (
        9160,
        ("Cancelling last payment", "Makulerar", "Makulerer", "Annullerer", "Perutaan maksu"),
    ),
    "closed": (9003, ("Closed", "Stängd", "Stengt", "Lukket", "Suljettu")),
}


def text(key: str, language: str, stars: int = 0) -> tuple[int | None, str]:
    """A text's id (or None) and the text; a language not known here gets English."""
    code, texts = _TEXTS[key]
    place = LANGUAGES.index(language) if language in LANGUAGES else 0
    return code, texts[place].replace("{stars}", "*" * stars)
