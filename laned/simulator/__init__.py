"""A card terminal in software, for tests, demonstrations and till developers.

It speaks the terminal's side of nexo Retailer 3.1 and keeps books of what it charged. It shares no
code with the rest of laned, so that one mistake cannot sit on both sides of the wire and go unseen.
"""

from laned.simulator.app import simulator_app
from laned.simulator.availability import Availability, Condition
from laned.simulator.device import Link
from laned.simulator.ledger import Ledger, State, Transaction
from laned.simulator.listener import callback_client
from laned.simulator.record import Received
from laned.simulator.scenarios import SCENARIOS, Mishap, Moment, Scenario
from laned.simulator.settings import Settings, StatusAnswer
from laned.simulator.terminal import Terminal

__all__ = [
    "SCENARIOS",
    "Availability",
    "Condition",
    "Ledger",
    "Link",
    "Mishap",
    "Moment",
    "Received",
    "Scenario",
    "Settings",
    "State",
    "StatusAnswer",
    "Terminal",
    "Transaction",
    "callback_client",
    "simulator_app",
]
