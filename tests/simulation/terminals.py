"""The simulated terminal with customers that come as a seed wants them."""

from collections import deque
from collections.abc import Callable

from laned.simulator import Scenario, Terminal


class ChoosingTerminal(Terminal):
    """A terminal whose customers come as the seed wants them; `chosen` has them by ServiceID."""

    def serve(self, choose: Callable[[], Scenario]) -> None:
        """Take its customers from `choose` from now on."""
        self.next_scenarios = _Customers(self, choose)
        self.chosen: dict[str, Scenario] = {}


class _Customers(deque[Scenario]):
    """Never empty: each comes as it is asked for."""

    def __init__(self, terminal: ChoosingTerminal, choose: Callable[[], Scenario]) -> None:
        super().__init__()
        self._terminal = terminal
        self._choose = choose

    def __bool__(self) -> bool:
        return True

    def popleft(self) -> Scenario:
        scenario = self._choose()
        self._terminal.chosen[self._terminal.taking_up] = scenario
        return scenario
