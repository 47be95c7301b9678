"""What a screen looks like: pictures looked at once, and what must hold for all."""

import os
import string
import time
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from laned.drawing import Box, draw, paint, scrolls
from laned.icons import MARKS
from laned.lane.screen import Icon, Screen
from laned.typeface import MAX_CHARACTERS, NO_BREAK, clean, fit, font

GOLDEN = Path(__file__).parent / "golden"
# Set it to draw the pictures anew; then look at each before it is kept.
UPDATE = "LANED_UPDATE_GOLDEN" in os.environ

SIZES = ((128, 64), (128, 32), (256, 64), (96, 16))
LONG = (
    "Kortet kunde inte läsas. Försök igen med chip, eller tala med personalen om du behöver "
    "hjälp med att betala ditt köp."
)
SCREENS = {
    "welcome": Screen(lines=("Welcome",)),
    "present-card": Screen(
        lines=("Present card",), amount="38.00 SEK", abort="Cancel", icon=Icon.CARD
    ),
    "pin": Screen(lines=("Enter PIN: ***",), amount="38.00 SEK", abort="Cancel"),
    "approved": Screen(lines=("Approved",), amount="38.00 SEK"),
    "pay": Screen(lines=("Pay 38.00 SEK?",), confirm="Pay", abort="Cancel"),
    "signature": Screen(
        lines=("Signature OK?",),
        amount="38.00 SEK",
        confirm="Approve",
        abort="Decline",
        icon=Icon.SIGNATURE,
    ),
    "offline": Screen(lines=("Offline", "Please wait"), icon=Icon.OFFLINE),
    "checking": Screen(lines=("Checking last payment",), icon=Icon.WAIT),
    "checking-sv": Screen(lines=("Kontrollerar senaste betalningen",), icon=Icon.WAIT),
    "out-of-service": Screen(lines=("Out of service",), icon=Icon.WARNING),
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
    low = [(name, (96, 16), tick) for name in ("pay", "present-card") for tick in (1, 2)]
    return [*wanted, *low, ("long", (128, 64), 2), ("signature", (128, 32), 1)]


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
    """Drawn in the middle of a larger picture, all of it stays inside its box."""
    margin = 40
    larger = (size[0] + 2 * margin, size[1] + 2 * margin)
    for tick in range(4):
        image = Image.new("1", larger)
        paint(image, screen, Box(margin, margin, *size), tick)
        inside = image.crop((margin, margin, margin + size[0], margin + size[1]))
        assert ImageChops.logical_xor(inside, draw(screen, size, tick)).getbbox() is None
        image.paste(0, (margin, margin, margin + size[0], margin + size[1]))
        assert image.getbbox() is None


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
    assert set(MARKS) == {icon.value for icon in Icon if icon} | {"cross", "check"}


def test_buttons_are_seen_on_a_panel_too_low_for_both() -> None:
    screen = SCREENS["pay"]
    bare = Screen(lines=screen.lines)
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
