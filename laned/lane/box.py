"""What the box itself tells the lane: journal, hardware, configuration."""

import msgspec

from laned.lane import maintenance
from laned.lane.effects import Acknowledged
from laned.lane.events import (
    ConfigChanged,
    HardwareReported,
    JournalAcknowledged,
    JournalReported,
)
from laned.lane.turn import Turn


def journal_reported(turn: Turn, event: JournalReported) -> None:
    """Note the journal's health; a new one has to be acknowledged by a person first."""
    if turn.state.journal != "new":
        turn.change(journal=event.health)


def acknowledged(turn: Turn, _: JournalAcknowledged) -> None:
    """Take payments again: a person knows that the journal is new."""
    if turn.state.journal == "new":
        turn.change(journal="ok")
        turn.record(Acknowledged())


def hardware_reported(turn: Turn, event: HardwareReported) -> None:
    """Note the health of the display or of the buttons."""
    hardware = msgspec.structs.replace(turn.state.hardware, **{event.part: event.health})
    turn.change(hardware=hardware)


def reconfigured(turn: Turn, event: ConfigChanged) -> None:
    """Go on with another configuration."""
    turn.change(config=event.config)
    maintenance.look_again(turn)
