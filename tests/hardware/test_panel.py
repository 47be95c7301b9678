"""What goes over the bus: no more than what differs, and the controller's memory is right."""

import errno
import random
from itertools import pairwise
from typing import Any

import luma.core.device
import luma.core.interface.serial
import luma.oled.device
import pytest
from gpiozero.pins.mock import MockFactory
from oledbus import Bus, Memory, on
from PIL import Image

from laned.config.display import DisplayConfig
from laned.config.oled_models import MODELS
from laned.hardware import gpio
from laned.hardware.burn_in import Light
from laned.hardware.drawing import draw
from laned.hardware.panel import Panel, PanelError
from laned.views.screen import Icon, Screen

FULL_FRAME = 8 + 2 + 1024  # of a 128x64: one command with six parameters, one block of data
PAGED: dict[str, int] = {
    # where luma itself puts the first column
    "ssd1306": 0, "ssd1309": 0, "ssd1315": 0, "ssd1316": 0, "ssd1305": 0,
    "sh1106": 2, "sh1107": 0, "ch1115": 2,
}  # fmt: skip
BY_PART = [(name, size) for name in PAGED for size in MODELS[name].sizes]


def pin(stars: int) -> Screen:
    return Screen(
        lines=("Enter PIN: " + "*" * stars,), amount="38.00 SEK", abort="Cancel", icon=Icon.CARD
    )


def noise(size: tuple[int, int], seed: int) -> Image.Image:
    """A picture with a few changed spots, as another seed has them elsewhere."""
    dice = random.Random(seed)
    image = Image.new("1", size)
    for _ in range(dice.choice((1, 5, 40))):
        x, y = dice.randrange(size[0]), dice.randrange(size[1])
        image.paste(1, (x, y, x + dice.randrange(1, 30), y + dice.randrange(1, 20)))
    return image


def first_column(name: str, size: tuple[int, int]) -> int:
    if size in ((64, 48), (64, 32)) and name != "ssd1305":
        return 32
    return 4 if (name, size) == ("ssd1305", (128, 32)) else PAGED[name]


@pytest.mark.parametrize(
    ("name", "size", "rotate"),
    [
        *((name, size, 0) for name, size in BY_PART),
        *((name, MODELS[name].sizes[0], turn) for name in PAGED for turn in (1, 2, 3)),
    ],
)
def test_the_memory_holds_the_frame_after_each_part(
    monkeypatch: pytest.MonkeyPatch, name: Any, size: tuple[int, int], rotate: int
) -> None:
    bus, memory = on(monkeypatch), Memory()
    config = DisplayConfig(driver=name, width=size[0], height=size[1], rotate=rotate)
    panel = Panel(config)
    parts = 0
    for seed in range(6):
        frame = noise(config.size, seed)
        panel.show(frame)
        parts += sum(len(content) for kind, content in bus.log if kind == "data")
        memory.take(bus.log)
        bus.log.clear()
        mounted = frame.rotate(-90 * rotate, expand=True)
        assert memory.picture(size, first_column(name, size)) == mounted
    assert parts < 6 * size[0] * size[1] // 8


@pytest.mark.parametrize(("name", "size"), BY_PART)
def test_a_whole_frame_is_sent_as_luma_sends_it(
    monkeypatch: pytest.MonkeyPatch, name: Any, size: tuple[int, int]
) -> None:
    bus, frame = on(monkeypatch), noise(size, 2)
    Panel(DisplayConfig(driver=name, width=size[0], height=size[1])).show(frame)
    ours, theirs = Memory(), Memory()
    ours.take(bus.log)
    bus.log.clear()
    getattr(luma.oled.device, name)(bus, width=size[0], height=size[1]).display(frame)
    theirs.take(bus.log)
    assert ours.rows == theirs.rows


@pytest.mark.parametrize(("name", "most"), [("ssd1306", 30), ("sh1106", 30), ("ch1115", 30)])
def test_bytes_per_pin_star(monkeypatch: pytest.MonkeyPatch, name: Any, most: int) -> None:
    """A star costs some 18 bytes in place of the 1,034 of a whole frame (tests/bench/panel.py)."""
    bus = on(monkeypatch)
    panel = Panel(DisplayConfig(driver=name))
    panel.show(draw(pin(1), (128, 64)))
    bus.taken()
    for stars in (2, 3, 4):
        assert panel.show(draw(pin(stars), (128, 64)))
        assert 10 < bus.taken() <= most
    assert not panel.show(draw(pin(4), (128, 64)))
    assert bus.taken() == 0


def test_never_dearer_than_the_whole_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = on(monkeypatch)
    panel = Panel(DisplayConfig())
    panel.show(Image.new("1", (128, 64)))
    bus.taken()
    for seed in range(30):
        panel.show(noise((128, 64), seed))
        assert bus.taken() <= FULL_FRAME
    dice = random.Random(1)
    for _ in range(5):
        panel.show(Image.frombytes("1", (128, 64), dice.randbytes(1024)))
        assert bus.taken() == FULL_FRAME
    # All but a stair of gaps changes: a window for each side of each of them would be dearer.
    panel.show(Image.new("1", (128, 64)))
    bus.taken()
    stair = Image.new("1", (128, 64), 1)
    for page in range(8):
        stair.paste(0, (10 + 12 * page, 8 * page, 22 + 12 * page, 8 * page + 8))
    panel.show(stair)
    assert bus.taken() == FULL_FRAME


def test_the_whole_frame_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever part of it went wrong: the memory of the panel is not what was sent."""
    bus, memory = on(monkeypatch), Memory()
    panel = Panel(DisplayConfig())
    panel.show(draw(pin(1), (128, 64)))
    for good in (0, 1):  # transactions that still arrive
        count = iter(range(100))
        bus.fails = lambda count=count, good=good: (  # type: ignore[misc]
            OSError(errno.ETIMEDOUT, "") if next(count) >= good else None
        )
        with pytest.raises(PanelError, match="TimeoutError"):
            panel.show(draw(pin(2), (128, 64)))
        assert not panel.is_open
        bus.fails = lambda: None
        bus.log.clear()
        panel.show(draw(pin(2), (128, 64)))
        initialised = [content[0] for kind, content in bus.log if kind == "command"]
        assert initialised[0] == 0xAE
        assert [len(content) for kind, content in bus.log if kind == "data"] == [1024, 1024]
        memory.take(bus.log)
        assert memory.picture((128, 64), 0) == draw(pin(2), (128, 64))
        panel.show(draw(pin(1), (128, 64)))
    assert bus.closed == 2


def test_light(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = on(monkeypatch)
    panel = Panel(DisplayConfig(dim_contrast=5))
    one, two = draw(pin(1), (128, 64)), draw(pin(2), (128, 64))
    panel.show(one)

    def sent(frame: Image.Image, light: Light) -> list[bytes]:
        bus.log.clear()
        panel.show(frame, light)
        return [content for kind, content in bus.log if kind == "command" and len(content) < 6]

    assert sent(one, Light.DIM) == [b"\x81\x05"]
    assert sent(one, Light.DIM) == []
    assert sent(one, Light.OFF) == [b"\xae"]
    assert sent(two, Light.OFF) == []
    # What was missed is in the memory before the light is on.
    assert sent(two, Light.BRIGHT) == [b"\x81\xcf", b"\xaf"]
    assert [kind for kind, _ in bus.log] == ["command", "data", "command", "command"]
    assert sent(two, Light.BRIGHT) == []


def test_dimmed_is_never_brighter(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = on(monkeypatch)
    panel = Panel(DisplayConfig(contrast=3, dim_contrast=5))
    panel.show(draw(pin(1), (128, 64)), Light.DIM)
    assert [content for _, content in bus.log if content[:1] == b"\x81"][-2:] == [b"\x81\x03"] * 2


@pytest.mark.parametrize("name", MODELS)
def test_the_table_of_models_is_lumas(monkeypatch: pytest.MonkeyPatch, name: Any) -> None:
    kind = getattr(luma.oled.device, name)
    levels: list[int] = []
    monkeypatch.setattr(kind, "contrast", lambda self, level: levels.append(level))
    accepted = []
    sizes = {size for model in MODELS.values() for size in model.sizes}
    for width, height in sorted(sizes | {(128, 16), (320, 64)}):
        # Its buffer is taken from luma's class, so that a size that it ignores is seen.
        try:
            device = kind(Bus(), width=width, height=height)
        except luma.core.error.DeviceDisplayModeError:
            continue
        if device.size == (width, height):
            accepted.append((width, height))
    assert accepted == sorted(MODELS[name].sizes)
    assert set(levels) <= {MODELS[name].contrast}
    code = kind.__init__.__code__
    names = set(code.co_varnames[: code.co_argcount])
    for parameter in ("page_address_offset", "h_offset", "v_offset"):
        assert (parameter in MODELS[name].parameters) == (parameter in names)


def test_every_device_of_luma_is_in_the_table() -> None:
    assert set(MODELS) == set(luma.oled.device.__all__) - {"ws0010", "winstar_weh"}


def test_parameters_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, memory = on(monkeypatch), Memory()
    Panel(DisplayConfig(driver="sh1106", page_address_offset=0)).show(noise((128, 64), 1))
    memory.take(bus.log)
    assert memory.picture((128, 64), 0) == noise((128, 64), 1)


class Spi:
    """In place of the library spidev: what is written, beside the level of data/command."""

    def __init__(self, factory: MockFactory) -> None:
        self.written: list[tuple[bool, bytes]] = []
        self.opened: tuple[int, int] | None = None
        self.max_speed_hz = self.mode = 0
        self._factory = factory

    def open(self, port: int, device: int) -> None:
        self.opened = (port, device)

    def writebytes(self, data: list[int]) -> None:
        self.written.append((bool(self._factory.pin(6).state), bytes(data)))

    def close(self) -> None:
        self.opened = None


def test_spi(monkeypatch: pytest.MonkeyPatch) -> None:
    """luma's parameters arrive, and the lines beside the bus are pins like those of buttons."""
    factory = MockFactory()
    spi = Spi(factory)
    monkeypatch.setattr(gpio, "real_pins", lambda: factory)
    monkeypatch.setattr(luma.core.interface.serial.spi, "__spidev__", lambda self: spi)
    config = DisplayConfig(
        interface="spi", port=0, device=1, bus_speed_hz=500_000, gpio_dc=6, gpio_rst=12,
        spi_mode=3, transfer_size=512, reset_hold_time=0.0,
    )  # fmt: skip
    panel, frame = Panel(config), noise((128, 64), 3)
    levels: list[bool] = []
    reset = factory.pin(12)
    set_state = type(reset)._set_state

    def noted(pin: Any, value: Any) -> None:
        if pin is reset:
            levels.append(bool(value))
        set_state(pin, value)

    monkeypatch.setattr(type(reset), "_set_state", noted)
    panel.show(frame)
    assert (spi.opened, spi.max_speed_hz, spi.mode) == ((0, 1), 500_000, 3)
    assert [low for low, _ in pairwise(levels)][-1:] == [False]
    assert levels[-1]
    assert max(len(content) for _, content in spi.written) == 512
    memory = Memory()
    joined: list[tuple[str, bytes]] = []
    for is_data, content in spi.written:
        if is_data and joined and joined[-1][0] == "data":
            joined[-1] = ("data", joined[-1][1] + content)
        else:
            joined.append(("data" if is_data else "command", content))
    memory.take(joined)
    assert memory.picture((128, 64), 0) == frame
    panel.close()
    assert spi.opened is None
    # The lines are free again.
    Panel(config).show(frame)


@pytest.mark.parametrize(("name", "white"), [("ssd1322", b"\xff"), ("ssd1351", b"\xff\xff")])
def test_panels_of_more_depth_show_white(
    monkeypatch: pytest.MonkeyPatch, name: Any, white: bytes
) -> None:
    """Drawn in black and white; such panels are sent it in their own depth."""
    bus = on(monkeypatch)
    width, height = MODELS[name].sizes[0]
    panel = Panel(DisplayConfig(driver=name, width=width, height=height))
    panel.show(Image.new("1", (width, height)))
    bus.log.clear()
    panel.show(Image.new("1", (width, height), 1))
    sent = b"".join(content for _, content in bus.log if len(content) > 3)
    assert sent == white * (len(sent) // len(white))
    assert len(sent) == width * height * len(white) // (2 if len(white) == 1 else 1)
