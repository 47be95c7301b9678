"""What a screen looks like: pictures looked at once, and what must hold for all."""

import os
import string
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from PIL import Image, ImageChops

from laned.config.display import DisplayConfig
from laned.hardware import font as faces
from laned.hardware.drawing import PLACES, Box, area, draw, paint, scrolls
from laned.hardware.font import MAX_CHARACTERS, NO_BREAK, PIN_LENGTHS, RESERVED, clean, fit, font
from laned.hardware.icons import MARKS
from laned.views.screen import Icon, Screen
from laned.views.texts import TEXTS, Text

GOLDEN = Path(__file__).parent / "golden"
# Set it to draw the pictures anew; then look at each before it is kept.
UPDATE = "LANED_UPDATE_GOLDEN" in os.environ

SIZES = ((128, 64), (128, 32), (256, 64), (96, 16))
LONG = (
    "Kortet kunde inte läsas. Försök igen med chip, eller tala med personalen om du behöver "
    "hjälp med att betala ditt köp."
)
AMOUNT, SV_AMOUNT = "38.00 SEK", "38,00 SEK"
EN, SV, FI = TEXTS["en"], TEXTS["sv"], TEXTS["fi"]


def own(words: Mapping[Text, str], text: Text, icon: Icon = Icon.NONE, amount: str = "") -> Screen:
    return Screen(lines=(words[text],), icon=icon, amount=amount)


def asked(words: Mapping[Text, str], text: Text, confirm: Text, abort: Text, **more: Any) -> Screen:
    return Screen(lines=(words[text],), confirm=words[confirm], abort=words[abort], **more)


def at_terminal(text: str, **more: Any) -> Screen:
    return Screen(
        lines=(text,), **({"amount": AMOUNT, "abort": "Cancel", "icon": Icon.CARD} | more)
    )


SCREENS = {
    "welcome": own(EN, "welcome"),
    "please-wait": own(EN, "please_wait", Icon.WAIT),
    "offline": own(EN, "offline", Icon.OFFLINE),
    "offline-sv": own(SV, "offline", Icon.OFFLINE),
    "closed": own(EN, "closed", Icon.OFFLINE),
    "maintenance": own(EN, "maintenance", Icon.WAIT),
    "out-of-service": own(EN, "out_of_service", Icon.WARNING),
    "checking": own(EN, "checking", Icon.WARNING),
    "checking-sv": own(SV, "checking", Icon.WARNING, SV_AMOUNT),
    "pay": asked(EN, "pay_question", "start", "cancel", amount=AMOUNT),
    "pay-fi": asked(FI, "pay_question", "start", "cancel", amount=SV_AMOUNT),
    "refund-sv": asked(SV, "refund_question", "start_refund", "cancel", amount="-" + SV_AMOUNT),
    "signature": asked(
        EN, "signature_question", "approve", "decline", amount=AMOUNT, icon=Icon.SIGNATURE
    ),
    "see-terminal": at_terminal(EN["see_terminal"]),
    "present-card": at_terminal("Present card"),
    "pin": at_terminal("Enter PIN: ***"),
    "authorizing": at_terminal("Authorizing"),
    "approved": at_terminal("Approved", abort="", icon=Icon.NONE),
    "thanks": at_terminal("Tack! Ta ditt kort.", abort="", icon=Icon.CHECK),
    "declined": at_terminal("Declined", abort="", icon=Icon.CROSS),
    "long": Screen(lines=(LONG,), amount="1 234.50 SEK", abort="Avbryt"),
    "long-labels": Screen(
        lines=("Hyväksytkö allekirjoituksen?",),
        amount="38,00 €",
        confirm="Hyväksy allekirjoitus",
        abort="Keskeytä maksu",
        icon=Icon.SIGNATURE,
    ),
}
HOSTILE = (
    Screen(lines=()),
    Screen(lines=("", "  ", "\n")),
    Screen(lines=(), icon=Icon.WAIT),
    Screen(lines=(), amount="1.00 SEK"),
    Screen(lines=(), confirm="Ok", abort="\t"),
    Screen(lines=("W" * 300,), amount="9" * 40, confirm="M" * 50, abort="W" * 50, icon=Icon.CARD),
    Screen(lines=("\x00\x1b[2J\u202e\ud800日本😀",), abort="日本"),
    Screen(lines=tuple("ÅÄÖgjpqy|€" for _ in range(40)), icon=Icon.WARNING),
    Screen(lines=("x " * 5000,)),
)


def _named() -> list[tuple[str, tuple[int, int], int]]:
    wanted = [(name, size, 0) for name in SCREENS for size in SIZES]
    low = [(name, (96, 16), 1) for name in ("pay", "present-card")]
    more = [("present-card", (96, 16), 2), ("long", (128, 64), 2), ("signature", (128, 32), 1)]
    return [*wanted, *low, *more]


@pytest.mark.parametrize(("name", "size", "tick"), _named())
def test_looks_as_approved(name: str, size: tuple[int, int], tick: int) -> None:
    picture = draw(SCREENS[name], size, tick)
    path = GOLDEN / f"{name}-{size[0]}x{size[1]}-{tick}.png"
    if UPDATE:
        picture.save(path)
    with Image.open(path) as golden:
        assert golden.mode == picture.mode == "1"
        assert golden.size == picture.size == size
        assert ImageChops.logical_xor(golden, picture).getbbox() is None


def test_no_picture_without_its_test() -> None:
    expected = {f"{name}-{w}x{h}-{tick}.png" for name, (w, h), tick in _named()}
    assert {path.name for path in GOLDEN.iterdir()} == expected


@pytest.mark.parametrize("size", [*SIZES, (64, 48), (64, 128)])
@pytest.mark.parametrize("screen", [*SCREENS.values(), *HOSTILE])
def test_nothing_is_cut_at_the_edge(screen: Screen, size: tuple[int, int]) -> None:
    """Drawn in the middle of a larger picture, all of it stays inside its box, wherever that is."""
    margin = 40
    larger = (size[0] + 2 * margin, size[1] + 2 * margin)
    for tick in range(4):
        place = tick * 2
        box = area(size, place)
        image = Image.new("1", larger)
        paint(image, screen, Box(margin + box.x, margin + box.y, box.width, box.height), tick)
        inside = image.crop((margin, margin, margin + size[0], margin + size[1]))
        assert ImageChops.logical_xor(inside, draw(screen, size, tick, place)).getbbox() is None
        image.paste(0, (margin, margin, margin + size[0], margin + size[1]))
        assert image.getbbox() is None


@pytest.mark.parametrize("size", SIZES)
def test_moves_to_every_place_and_looks_the_same(size: tuple[int, int]) -> None:
    boxes = [area(size, place) for place in range(len(PLACES))]
    assert len({(box.x, box.y) for box in boxes}) == (len(PLACES) if size[1] >= 24 else 3)
    pictures = [
        draw(SCREENS["pin"], size, 0, place).crop((box.x, box.y, box.right, box.y + box.height))
        for place, box in enumerate(boxes)
    ]
    assert all(picture == pictures[0] for picture in pictures)
    assert all(0 <= box.x <= size[0] - box.width and box.y <= size[1] - box.height for box in boxes)
    # No step is wider than a pixel, so that nobody notices.
    for box, following in pairwise([*boxes, boxes[0]]):
        assert max(abs(box.x - following.x), abs(box.y - following.y)) <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", ["Enter PIN: ", "Ange PIN-kod: ", "Slå din kode, takk: "])
def test_a_line_stands_still_while_the_pin_is_typed(text: str, size: tuple[int, int]) -> None:
    """Each star is added to the picture, and nothing else of it changes."""
    frames = [draw(at_terminal(text + "*" * stars), size) for stars in range(1, 5)]
    for before, after in pairwise(frames):
        changed = ImageChops.logical_xor(before, after)
        assert ImageChops.logical_and(changed, before).getbbox() is None
        added = changed.getbbox()
        assert added is not None
        assert added[2] - added[0] < 14


def test_stars_stay_with_the_words_before_them() -> None:
    for stars in range(1, 13):
        (line,) = clean([f"Enter PIN: {'*' * stars}"])
        assert line.replace(RESERVED, "") == f"Enter PIN:{NO_BREAK}{'*' * stars}"
        assert len(line) - len("Enter PIN:") - 1 in PIN_LENGTHS
    assert clean(["Enter PIN: " + "*" * 13]) == ("Enter PIN: " + "*" * 13,)
    assert clean(["2 * 3", "****"]) == ("2 * 3", "****")


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("size", SIZES)
def test_ticks_matter_exactly_when_it_scrolls(name: str, size: tuple[int, int]) -> None:
    frames = {draw(SCREENS[name], size, tick).tobytes() for tick in range(30)}
    assert scrolls(SCREENS[name], size) == (len(frames) > 1)


@pytest.mark.parametrize("size", [(128, 29), (96, 16), (128, 17), (64, 64), (30, 13)])
def test_every_word_is_shown_in_some_step(size: tuple[int, int]) -> None:
    text = clean([LONG, "Donaudampfschifffahrtsgesellschaft"])
    block = fit(text, *size, (18, 13, 11))
    assert "".join(block.lines).replace(" ", "") == "".join(text).replace(" ", "")
    assert block.steps - 1 + block.visible == len(block.lines)
    assert (block.visible - 1) * block.pitch + block.ink <= size[1]


def test_larger_where_there_is_room() -> None:
    sizes = (30, 18, 13, 11)
    assert fit(("Welcome",), 200, 40, sizes).size == 30
    assert fit(("Welcome",), 90, 40, sizes).size == 18
    assert fit(("Present card",), 80, 64, sizes).lines == ("Present", "card")


@pytest.mark.parametrize("letter", string.ascii_letters + string.digits + "åäöæøÅÄÖÆØüÜéÉ€.,:?!*-%")
def test_letters_of_the_languages(letter: str) -> None:
    missing = bytes(font(20).getmask("\U0010ffff", "1"))
    assert clean([letter]) == (letter,)
    assert bytes(font(20).getmask(letter, "1")) != missing
    # The accents are to be told from the plain letter, also at the size of a label.
    for size in (11, 13):
        plain = {"å": "a", "ä": "a", "ö": "o", "Å": "A", "Ä": "A", "Ö": "O", "ø": "o"}.get(letter)
        assert plain is None or _ink(letter, size) != _ink(plain, size)
    assert _ink("å", 11) != _ink("ä", 11)


def _ink(letter: str, size: int) -> bytes:
    return bytes(font(size).getmask(letter, "1"))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Kvar: 5\x00\x07\r\n kr", f"Kvar: 5{NO_BREAK}kr"),
        ("日本", "??"),
        ("A\u030angra", "Ångra"),
        ("fi\ufb01\u2460", "fi\ufb011"),
        ("a\u200bb\u202ec", "abc"),
        ("x\ud800y", "x?y"),
        ("Pay 1 234.50 SEK?", f"Pay 1{NO_BREAK}234.50{NO_BREAK}SEK?"),
        ("3 kroner", "3 kroner"),
    ],
)
def test_text_is_made_drawable(given: str, shown: str) -> None:
    assert clean([given]) == (shown,)


def test_text_without_end_is_seen_to_be_cut() -> None:
    (line,) = clean(["x" * 100_000, "never reached"])
    assert line == "x" * MAX_CHARACTERS + "…"


def test_an_amount_and_its_currency_stay_together() -> None:
    block = fit(clean(["Pay 38.00 SEK?"]), 110, 48, (22, 18))
    assert block.lines == ("Pay", f"38.00{NO_BREAK}SEK?")


def test_every_icon_has_its_sign_and_differs() -> None:
    pictures = {draw(Screen(lines=(), icon=icon), (32, 32)).tobytes() for icon in Icon}
    assert len(pictures) == len(Icon)
    assert set(MARKS) == {icon.value for icon in Icon if icon}
    given = get_args(get_type_hints(DisplayConfig)["icons"])[1]
    assert set(get_args(given)) == set(MARKS)


def test_buttons_are_seen_on_a_panel_too_low_for_both() -> None:
    screen = SCREENS["pay"]
    bare = Screen(lines=("Pay? 38.00 SEK",))
    frames = [draw(screen, (96, 16), tick) for tick in range(2)]
    assert frames[0] == draw(bare, (96, 16))
    assert frames[1] != frames[0]
    assert scrolls(screen, (96, 16))


def test_fast_enough_to_draw_each_change() -> None:
    screens = [Screen(lines=(f"Enter PIN: {n}",), amount="38.00 SEK") for n in range(50)]
    draw(screens[0], (128, 64))
    started = time.perf_counter()
    for screen in screens[1:]:
        draw(screen, (128, 64))
    # 5 ms each is the aim; the factor is for a machine that does other things at the same time.
    assert (time.perf_counter() - started) / 49 < 0.005 * 5


def test_an_upgrade_may_take_the_fonts_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each size is read when it is first drawn with."""
    files = faces._fonts()
    for name in {faces.FACE, *faces.FACES.values()}:
        (tmp_path / name).write_bytes((files / name).read_bytes())
    faces._face.cache_clear()
    faces.font.cache_clear()
    monkeypatch.setattr(faces, "_fonts", lambda: tmp_path)
    faces.load()
    for path in tmp_path.iterdir():
        path.unlink()
    assert faces.font(17).getlength("38.00 SEK") > 0
    faces._face.cache_clear()
    faces.font.cache_clear()
