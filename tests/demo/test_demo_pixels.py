"""Pictures as text, against small pictures made by hand."""

import pytest
from PIL import Image

from laned.demo.pixels import ASCII, BLOCKS, BRAILLE, Style


def picture(*rows: str) -> Image.Image:
    image = Image.new("1", (len(rows[0]), len(rows)))
    image.putdata([255 * (pixel == "#") for row in rows for pixel in row])
    return image


LETTER = picture(
    "####",
    "#...",
    "###.",
    "#...",
)


def test_half_blocks_are_one_pixel_across_and_two_down() -> None:
    assert BLOCKS.text(LETTER) == ["█▀▀▀", "█▀▀ "]
    assert BLOCKS.text(picture(".#", "##")) == ["▄█"]


def test_braille_dots_are_two_pixels_across_and_four_down() -> None:
    assert BRAILLE.text(LETTER) == ["⡯⠍"]


@pytest.mark.parametrize("dot", range(8))
def test_each_braille_dot_is_where_unicode_has_it(dot: int) -> None:
    # Unicode counts down the left column, then the right one; the lowest two came last.
    column, row = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))[dot]
    image = Image.new("1", (2, 4))
    image.putpixel((column, row), 255)
    assert BRAILLE.text(image) == [chr(0x2800 + (1 << dot))]


def test_ascii_tells_upper_from_lower_and_dark_from_light() -> None:
    wide = picture(
        "..####....#.",
        "..####......",
        "..##..##....",
        "..##..##....",
    )
    assert ASCII.text(wide) == [" #\"o '"]


@pytest.mark.parametrize("style", [BLOCKS, BRAILLE, ASCII])
def test_a_picture_of_any_size_is_whole(style: Style) -> None:
    lines = style.text(Image.new("1", (5, 7), 255))
    assert (len(lines[0]), len(lines)) == style.size(5, 7)
    # What is beyond the edge is dark, so nothing but the edge differs from the middle.
    assert lines[0][0] == style.character(b"\xff" * style.across * style.down)
    assert " " not in "".join(lines)


@pytest.mark.parametrize("style", [BLOCKS, BRAILLE, ASCII])
def test_darkness_is_blank(style: Style) -> None:
    assert set("".join(style.text(Image.new("1", (8, 8))))) == {" "}
