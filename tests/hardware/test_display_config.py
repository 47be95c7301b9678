"""The table [display]: what is refused, and in which words."""

from itertools import product

import pytest

from laned.config.display import DisplayConfig
from laned.config.file import ConfigError, parse
from laned.config.oled_models import MODELS
from laned.config.reload import reloaded
from laned.config.schema import Config
from laned.hardware.burn_in import AWAKE, Care, Light, care

NEEDED = '[terminal]\naddress = "192.168.78.15:11000"\npoi_id = "A-POIID"\n[display]\n'


def read(*lines: str) -> Config:
    return parse(NEEDED + "\n".join(lines), "laned.toml", {})


def findings(*lines: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(*lines)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("driver", ["ssd9999", "ws0010", "winstar_weh", "SSD1306", ""])
def test_an_unknown_driver_is_told_what_there_is(driver: str) -> None:
    (found,) = findings(f'driver = "{driver}"')
    assert found == (
        f'laned.toml: display.driver: "{driver}" is not one of ssd1305, ssd1306, ssd1309, ssd1315, '
        "ssd1316, ssd1322, ssd1322_nhd, ssd1325, ssd1327, ssd1331, ssd1351, ssd1362, ssd1363, "
        "sh1106, sh1107, ch1115, virtual, none"
    )


def test_every_model_can_be_named_in_each_of_its_sizes() -> None:
    for name, model in MODELS.items():
        for width, height in model.sizes:
            size = [f"width = {width}", f"height = {height}"]
            display = read(f'driver = "{name}"', *size).display
            assert display.model is model
            assert display.size == (width, height)
            assert read(f'driver = "{name}"', *size, "rotate = 3").display.size == (height, width)


def test_a_size_that_the_driver_has_not() -> None:
    assert findings("width = 256") == [
        "laned.toml: display.width: 256x64 is no size of ssd1306; it has 128x64, 128x32, 96x16, "
        "64x48, 64x32"
    ]
    # There is no panel that could refuse it.
    assert read('driver = "virtual"', "width = 200").display.width == 200
    assert read('driver = "none"', "width = 200").display.driver == "none"


@pytest.mark.parametrize(
    "line",
    ["spi_mode = 1", "transfer_size = 64", "reset_hold_time = 0.1", "reset_release_time = 1.0"],
)
def test_parameters_of_spi_only(line: str) -> None:
    key = line.partition(" ")[0]
    needs = f'laned.toml: display.{key}: allowed only with display.interface = "spi"'
    assert findings(line) == [needs]
    assert getattr(read(line, 'interface = "spi"', "port = 0").display, key) is not None


def test_parameters_of_one_driver_only() -> None:
    assert findings("page_address_offset = 0", "h_offset = 1") == [
        'laned.toml: display.page_address_offset: allowed only with display.driver = "sh1106"',
        'laned.toml: display.h_offset: allowed only with display.driver = "ssd1351"',
    ]
    assert read('driver = "sh1106"', "page_address_offset = 0").display.page_address_offset == 0
    size = ("width = 128", "height = 128")
    assert read('driver = "ssd1351"', "v_offset = 4", *size).display.v_offset == 4


def test_texts_and_icons() -> None:
    display = read("texts = {202 = 'Tack!'}", 'icons = {202 = "check", 0 = "pin"}').display
    assert display.texts == {202: "Tack!"}
    assert display.icons == {202: "check", 0: "pin"}
    assert findings(
        'texts = {ok = "Tack!", 5 = "", 6 = 7, 8 = "  ", -1 = "x"}', 'icons = {5 = "smile"}'
    ) == [
        'laned.toml: display.texts.ok: "ok" is not a text id of the terminal: a whole number from '
        "0 to 1000000000",
        'laned.toml: display.texts.5: "" is not a text of 1 to 200 characters',
        "laned.toml: display.texts.6: 7 is not a text of 1 to 200 characters",
        'laned.toml: display.texts.8: "  " is not a text of 1 to 200 characters',
        'laned.toml: display.texts.-1: "-1" is not a text id of the terminal: a whole number from '
        "0 to 1000000000",
        'laned.toml: display.icons.5: "smile" is not one of card, pin, wait, check, cross, '
        "signature, warning, offline",
    ]
    assert findings('texts = "none"') == ['laned.toml: display.texts: "none" is not a table']


def test_words_and_signs_change_without_a_restart() -> None:
    running, new = read(), read('texts = {1 = "x"}', 'icons = {1 = "pin"}', "dim_after = 1")
    config, changed, later = reloaded(running, new)
    assert (sorted(changed), later) == (["display.icons", "display.texts"], ["display.dim_after"])
    assert config.display.texts == {1: "x"}


# -- Care for the panel ----------------------------------------------------------------------------


def test_what_is_due_at_rest() -> None:
    config = DisplayConfig(dim_after=60.0, shift_every=100.0, off_after=250.0)
    assert care(config, 0.0) == Care(Light.BRIGHT, 0, 60.0)
    assert care(config, 59.0) == Care(Light.BRIGHT, 0, 1.0)
    assert care(config, 60.0) == Care(Light.DIM, 0, 40.0)
    assert care(config, 100.0) == Care(Light.DIM, 1, 100.0)
    assert care(config, 200.0) == Care(Light.DIM, 2, 50.0)
    assert care(config, 250.0) == care(config, 1e9) == Care(Light.OFF, 2, float("inf"))


def test_what_is_never_due() -> None:
    config = DisplayConfig(dim_after=0.0, shift_every=0.0, off_after=0.0)
    assert care(config, 1e9) == AWAKE


@pytest.mark.parametrize(("dim", "shift", "off"), list(product((0.0, 7.0, 60.0), repeat=3)))
def test_what_is_due_holds_until_it_says(dim: float, shift: float, off: float) -> None:
    config = DisplayConfig(dim_after=dim, shift_every=shift, off_after=off)
    idle = 0.0
    for _ in range(30):
        now = care(config, idle)
        if now.lasts == float("inf"):
            break
        assert now.lasts > 0
        before = care(config, idle + now.lasts * 0.99)
        after = care(config, idle + now.lasts)
        assert (before.light, before.moves) == (now.light, now.moves)
        assert (after.light, after.moves) != (now.light, now.moves)
        idle += now.lasts
