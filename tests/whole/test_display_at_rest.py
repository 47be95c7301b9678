"""The display of a whole lane: spared while nobody is there, awake at the first event."""

import io
from pathlib import Path

import trio
from PIL import Image
from trio.testing import MockClock
from wholelane import Rig, lane

from laned.hardware.drawing import draw
from laned.views.screen import Icon, Screen

SIZE = (128, 64)
WELCOME = Screen(lines=("Welcome",))


async def picture(rig: Rig) -> Image.Image:
    answer = await rig.get("/v1/display.png")
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content)).copy()


def black(image: Image.Image) -> bool:
    return image.getbbox() is None


async def test_the_till_sees_the_panel_as_it_is_also_when_it_is_off(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await trio.sleep(10)
        assert await picture(rig) == draw(WELCOME, SIZE)
        await trio.sleep(1210)
        assert await picture(rig) == draw(WELCOME, SIZE, 0, 2)
        await trio.sleep(2500)
        assert black(await picture(rig))
        # A payment lights it before anybody has to look for the terminal.
        await rig.put(confirm="button")
        await trio.sleep(0.1)
        asked = Screen(lines=("Pay?",), amount="38.00 SEK", confirm="Pay", abort="Cancel")
        shown = await picture(rig)
        assert any(shown == draw(asked, SIZE, 0, place) for place in range(9))
        await rig.post("/v1/payments/p-1/abort")


async def test_a_button_that_means_nothing_lights_the_panel(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await trio.sleep(5000)
        assert black(await picture(rig))
        await rig.post("/v1/buttons/abort/press", {"seconds": 0.1})
        await trio.sleep(1)
        shown = await picture(rig)
        assert any(shown == draw(WELCOME, SIZE, 0, place) for place in range(9))


async def test_words_of_the_lanes_own_are_for_the_customer_only(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    own = {"texts.9202": "Tack!", "icons.9202": "check"}
    async with lane(tmp_path, display=own) as rig, rig.stream() as stream:
        frames: list[Image.Image] = []
        rig.lane.display.on_frame = frames.append
        await rig.pay()
        await stream.until("display", lines=["Welcome"])
        await trio.sleep(1)
        assert ["Approved"] in [told["lines"] for told in stream.of("display")]
        thanks = Screen(lines=("Tack!",), amount="38.00 SEK", abort="Cancel", icon=Icon.CHECK)
        paid = Screen(lines=("Tack!",), icon=Icon.CHECK)
        screens = [thanks, paid, Screen(lines=("Tack!",), amount="38.00 SEK", icon=Icon.CHECK)]
        assert any(frame == draw(screen, SIZE) for frame in frames for screen in screens)
