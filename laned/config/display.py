"""The table [display]: luma's parameters, the care for the panel, words and signs of one's own."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, field

from laned.config.constraints import Pin, Table, like, seconds, whole
from laned.config.oled_models import MODELS, VIRTUAL, Model

LONGEST_TEXT: Final = 200  # characters
DAY: Final = 86_400  # seconds

_Pixels = Annotated[int, whole(8, 1024, "a number of pixels")]
_Offset = Annotated[int, whole(0, 127, "a number of pixels")]
_I2cAddress = Annotated[int, Meta(ge=3, le=0x77, description="an I2C address from 0x03 to 0x77")]
_Level = Annotated[int, whole(0, 255)]
_Rest = Annotated[float, seconds(DAY, low=0)]
_Pause = Annotated[float, seconds(1, low=0)]
# luma.core refuses any other.
_SpiSpeed = Literal[
    500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000, 16_000_000, 20_000_000, 24_000_000,
    28_000_000, 32_000_000, 36_000_000, 40_000_000, 44_000_000, 48_000_000, 50_000_000, 52_000_000,
]  # fmt: skip
_DriverName = Literal[
    "ssd1305", "ssd1306", "ssd1309", "ssd1315", "ssd1316", "ssd1322", "ssd1322_nhd", "ssd1325",
    "ssd1327", "ssd1331", "ssd1351", "ssd1362", "ssd1363", "sh1106", "sh1107", "ch1115",
    "virtual", "none",
]  # fmt: skip
_IconName = Literal["card", "pin", "wait", "check", "cross", "signature", "warning", "offline"]
_TextId = Annotated[int, whole(0, 10**9, "a text id of the terminal: a whole number")]
_Words = Annotated[
    str, like(f"a text of 1 to {LONGEST_TEXT} characters", r"(?s:.*\S.*)", LONGEST_TEXT)
]

# luma's own names for what it is given, and only where the file gives it.
SPI_PARAMETERS: Final = (
    "device", "bus_speed_hz", "gpio_DC", "gpio_RST", "spi_mode", "transfer_size",
    "reset_hold_time", "reset_release_time",
)  # fmt: skip
MODEL_PARAMETERS: Final = ("page_address_offset", "h_offset", "v_offset")


class DisplayConfig(Table, frozen=True, kw_only=True):
    """[display]: a luma.oled device and luma's parameters; what is None is left to luma.

    `dim_after`, `off_after` and `shift_every` are seconds, 0 is never. `texts` and `icons` stand in
    place of what the terminal shows under such an id.
    """

    driver: _DriverName = "ssd1306"
    interface: Literal["i2c", "spi"] = "i2c"
    port: Annotated[int, whole(0, 255)] = 1
    address: _I2cAddress = 0x3C
    width: _Pixels = 128
    height: _Pixels = 64
    rotate: Annotated[int, whole(0, 3)] = 0
    language: Literal["", "en", "sv", "no", "da", "fi"] = ""
    dim_after: _Rest = 60.0
    dim_contrast: _Level = 8
    off_after: _Rest = 3600.0
    shift_every: _Rest = 600.0
    contrast: _Level | None = None
    device: Annotated[int, whole(0, 2)] | None = None
    bus_speed_hz: _SpiSpeed | None = None
    gpio_dc: Pin | None = field(default=None, name="gpio_DC")
    gpio_rst: Pin | None = field(default=None, name="gpio_RST")
    spi_mode: Annotated[int, whole(0, 3)] | None = None
    transfer_size: Annotated[int, whole(64, 65_536, "a number of bytes")] | None = None
    reset_hold_time: _Pause | None = None
    reset_release_time: _Pause | None = None
    page_address_offset: _Offset | None = None
    h_offset: _Offset | None = None
    v_offset: _Offset | None = None
    texts: dict[_TextId, _Words] = field(default_factory=dict)
    icons: dict[_TextId, _IconName] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """What is known of the driver; KeyError for "none"."""
        return VIRTUAL if self.driver == "virtual" else MODELS[self.driver]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as the customer sees them, after the rotation."""
        upright = self.rotate % 2 == 0
        return (self.width, self.height) if upright else (self.height, self.width)

    def contradictions(self) -> Iterator[str]:
        """Findings about keys that are right by themselves, and wrong beside another."""
        if self.interface != "spi":
            for key in self.spi_parameters:
                yield f'display.{key}: allowed only with display.interface = "spi"'
        if self.driver == "none":
            return
        for key in self.model_parameters:
            if key not in self.model.parameters:
                owners = (name for name, model in MODELS.items() if key in model.parameters)
                yield f'display.{key}: allowed only with display.driver = "{", ".join(owners)}"'
        sizes = self.model.sizes
        if sizes and (self.width, self.height) not in sizes:
            allowed = ", ".join(f"{width}x{height}" for width, height in sizes)
            found = f"{self.width}x{self.height}"
            yield f"display.width: {found} is no size of {self.driver}; it has {allowed}"

    @property
    def spi_parameters(self) -> dict[str, Any]:
        """What luma's SPI is given."""
        return self._given(SPI_PARAMETERS)

    @property
    def model_parameters(self) -> dict[str, Any]:
        """What luma's device is given beside its shape."""
        return self._given(MODEL_PARAMETERS)

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        values = {name: getattr(self, name.lower()) for name in names}
        return {name: value for name, value in values.items() if value is not None}
