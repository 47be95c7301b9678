"""The rig's SSD1306 shows what luma's own driver sends to it."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from luma.oled.device import ssd1306
from PIL import Image

from rig.ssd1306 import HEIGHT, SSD1306, WIDTH, SSD1306Error


class Bus:
    """Where luma expects its serial interface."""

    def __init__(self, panel: SSD1306) -> None:
        self._panel = panel

    def command(self, *commands: int) -> None:
        self._panel.message(bytes([0x00, *commands]))

    def data(self, data: Sequence[int]) -> None:
        self._panel.message(bytes([0x40, *data]))

    def cleanup(self) -> None:
        pass


def picture(seed: int) -> Image.Image:
    rng = random.Random(seed)
    image = Image.new("1", (WIDTH, HEIGHT))
    image.putdata([rng.random() < 0.3 for _ in range(WIDTH * HEIGHT)])
    return image


def shown(panel: SSD1306) -> list[Any]:
    return [pixel for row in panel.picture() for pixel in row]


def lit(image: Image.Image) -> list[bool]:
    return [bool(image.getpixel((x, y))) for y in range(HEIGHT) for x in range(WIDTH)]


def test_whole_frames_of_luma() -> None:
    panel = SSD1306()
    device = ssd1306(Bus(panel))
    for seed in range(3):
        device.display(picture(seed))
        assert shown(panel) == lit(picture(seed))
    assert panel.contrast == 0xCF
    device.hide()
    assert not any(shown(panel))


def test_a_window_of_pages_and_columns() -> None:
    panel = SSD1306()
    device = ssd1306(Bus(panel))
    device.display(Image.new("1", (WIDTH, HEIGHT)))
    before = panel.data_bytes
    device.command(0x21, 10, 12, 0x22, 2, 3)
    device.data([1, 2, 4, 0x80, 0x80, 0x80])
    assert panel.data_bytes - before == 6
    seen = {(x, y) for y, row in enumerate(panel.picture()) for x, one in enumerate(row) if one}
    assert seen == {(10, 16), (11, 17), (12, 18), (10, 31), (11, 31), (12, 31)}


@pytest.mark.parametrize("wrong", ["00 21 0a", "00 21 7f 80", "00 22 3 2", "00 e0", "80 00"])
def test_bytes_of_no_use_are_errors(wrong: str) -> None:
    with pytest.raises(SSD1306Error):
        SSD1306().message(bytes(int(byte, 16) for byte in wrong.split()))


def test_pixels_need_the_horizontal_mode() -> None:
    with pytest.raises(SSD1306Error, match="mode"):
        SSD1306().message(b"\x40\xff")
