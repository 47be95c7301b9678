"""The OLED controllers that luma.oled drives over I2C or SPI: what is known without importing it.

From luma.oled 3.16; `tests/hardware/test_oled.py` holds each row against the device itself. Left
out are ws0010 and winstar_weh, which need a parallel bus.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

Size = tuple[int, int]


class Model(Struct, frozen=True):
    """A device of luma.oled: its sizes in pixels, its own parameters, luma's contrast (0..255)."""

    sizes: tuple[Size, ...]
    contrast: int
    parameters: frozenset[str] = frozenset()


_SSD1306: Final = Model(((128, 64), (128, 32), (96, 16), (64, 48), (64, 32)), 0xCF)

MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {
        "ssd1305": Model(((128, 64), (128, 32)), 0xCF),
        "ssd1306": _SSD1306,
        "ssd1309": _SSD1306,
        "ssd1315": _SSD1306,
        "ssd1316": _SSD1306,
        "ssd1322": Model(tuple((w, h) for w in (256, 128, 64) for h in (64, 48, 32)), 0x7F),
        "ssd1322_nhd": Model(((128, 64),), 0x7F),
        "ssd1325": Model(((128, 64),), 0x7F),
        "ssd1327": Model(((128, 128),), 0x7F),
        "ssd1331": Model(((96, 64),), 0xFF),
        "ssd1351": Model(
            ((128, 128), (128, 96), (96, 96)), 0xFF, frozenset({"h_offset", "v_offset"})
        ),
        "ssd1362": Model(((256, 64),), 0x7F),
        "ssd1363": Model(((256, 128),), 0x7F),
        "sh1106": Model(
            ((128, 64), (128, 32), (128, 128)), 0x7F, frozenset({"page_address_offset"})
        ),
        "sh1107": Model(((64, 128), (80, 128), (128, 128)), 0x7F),
        "ch1115": Model(((128, 64),), 0x7F),
    }
)
VIRTUAL: Final = Model((), 0xFF)
"""luma's own dummy device: any size, and no panel."""
