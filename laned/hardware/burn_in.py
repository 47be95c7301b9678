"""How an OLED is spared while nobody needs it: an OLED burns in. Pure, no clock."""

import math
from enum import Enum, auto

from msgspec import Struct

from laned.config.display import DisplayConfig


class Light(Enum):
    """How bright the panel is."""

    BRIGHT = auto()
    DIM = auto()
    OFF = auto()


class Care(Struct, frozen=True):
    """What the panel is to look like; `lasts`: seconds until that is something else.

    `moves` counts how often the picture has moved since the panel came to rest.
    """

    light: Light
    moves: int
    lasts: float


AWAKE = Care(Light.BRIGHT, 0, math.inf)


def care(config: DisplayConfig, idle: float) -> Care:
    """What is due after so many seconds at rest (`config`: 0 seconds are never)."""
    off_after = config.off_after or math.inf
    dim_after = config.dim_after or math.inf
    shift_every = config.shift_every or math.inf
    moves = int(min(idle, off_after) // shift_every)
    if idle >= off_after:
        return Care(Light.OFF, moves, math.inf)
    next_move = (moves + 1) * shift_every
    if idle >= dim_after:
        return Care(Light.DIM, moves, min(next_move, off_after) - idle)
    return Care(Light.BRIGHT, moves, min(next_move, dim_after, off_after) - idle)
