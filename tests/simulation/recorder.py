"""What a seed's lane did, as one number: what everybody sees after each step, and what it asks.

A change of the code that only moves things leaves the number of every seed as it was:
`python tests/simulation/run.py --record FILE` before and after, then compare the two files.
"""

import hashlib

import msgspec

from laned.lane.buttons import lit
from laned.lane.turn import Step
from laned.views.lane import lane
from laned.views.screen import screen
from laned.views.status_line import summary

_encode = msgspec.json.Encoder().encode


class Recorder:
    """Adds up a seed's steps."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, step: Step) -> None:
        """One more step: its views, and its effects."""
        state = step.state
        seen = (lane(state), screen(state), sorted(lit(state)), summary(state))
        self._hash.update(_encode((seen, step.effects)))

    def number(self) -> str:
        """The sum so far."""
        return self._hash.hexdigest()
