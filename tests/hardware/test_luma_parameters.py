"""What the file gives for luma arrives at luma: no key is read and then ignored."""

import inspect
from types import SimpleNamespace
from typing import Any

import luma.core.interface.serial
import luma.oled.device
import msgspec
import pytest
from gpiozero.pins.mock import MockFactory
from msgspec import structs
from PIL import Image

from laned.config.display import MODEL_PARAMETERS, SPI_PARAMETERS, DisplayConfig
from laned.config.oled_models import MODELS
from laned.hardware import gpio
from laned.hardware.panel import Panel, PanelError

FRAME = Image.new("1", (128, 64))
LEFT_TO_LUMA = {
    field.encode_name: field.name
    for field in msgspec.structs.fields(DisplayConfig)
    if field.default is None
}


def test_every_key_that_is_left_to_luma_is_given_to_it() -> None:
    """Where a key has no default of ours, a value that is not handed on would be ignored."""
    assert sorted(LEFT_TO_LUMA) == sorted([*SPI_PARAMETERS, *MODEL_PARAMETERS, "contrast"])
    assert set(SPI_PARAMETERS) <= set(inspect.signature(luma.core.interface.serial.spi).parameters)
    assert set(MODEL_PARAMETERS) == {name for one in MODELS.values() for name in one.parameters}


@pytest.mark.parametrize("key", SPI_PARAMETERS)
def test_a_parameter_of_spi_arrives_at_luma(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    given: dict[str, Any] = {}

    def spi(**parameters: Any) -> None:
        given.update(parameters)
        raise OSError("there is no bus")

    monkeypatch.setattr(gpio, "real_pins", MockFactory)
    monkeypatch.setattr(luma.core.interface.serial, "spi", spi)
    value = object()
    config = structs.replace(DisplayConfig(interface="spi", port=0), **{LEFT_TO_LUMA[key]: value})
    with pytest.raises(PanelError, match="there is no bus"):
        Panel(config).show(Image.new("1", (128, 64)))
    assert set(given) == {"gpio", "port", key}
    assert given[key] is value
    wrong = structs.replace(config, interface="i2c")
    assert [line.partition(":")[0] for line in wrong.contradictions()] == [f"display.{key}"]


@pytest.mark.parametrize(
    ("driver", "key"), [(n, k) for n in MODELS for k in sorted(MODELS[n].parameters)]
)
def test_a_parameter_of_a_device_arrives_at_luma(
    monkeypatch: pytest.MonkeyPatch, driver: Any, key: str
) -> None:
    given: dict[str, Any] = {}

    def device(bus: Any, **parameters: Any) -> None:
        given.update(parameters)
        raise OSError("there is no panel")

    bus = SimpleNamespace(cleanup=lambda: None)
    monkeypatch.setattr(luma.core.interface.serial, "i2c", lambda **_: bus)
    monkeypatch.setattr(luma.oled.device, driver, device)
    value = object()
    with pytest.raises(PanelError, match="there is no panel"):
        Panel(structs.replace(DisplayConfig(driver=driver), **{key: value})).show(
            Image.new("1", (128, 64))
        )
    assert set(given) - {"width", "height", "rotate", "mode"} == {key}
    assert given[key] is value
