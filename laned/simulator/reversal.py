"""Reversals: which transaction may be reversed, and how it goes.

Source: protocol description, section Payment: only the last transaction, only if it succeeded,
named by TransactionID and TimeStamp word for word. Refusal and NotFound as the conditions are a
choice; the vendor names none.
"""

from collections.abc import Callable
from xml.etree.ElementTree import Element

import trio

from laned.simulator import compose
from laned.simulator.dialogue import Dialogue, Phase, Remember, Reversible, poi_data
from laned.simulator.ledger import Ledger, State
from laned.simulator.listener import Origin
from laned.simulator.panel import Panel
from laned.simulator.wire import Message


def not_reversible(
    request: Message,
    ledger: Ledger,
    reversible: Reversible | None,
    violation: Callable[[str], None],
) -> Element | None:
    """Why the transaction that is named cannot be reversed, or None.

    ``reversible`` is the last transaction if it was approved and still stands.
    """
    original = request.body.find("OriginalPOITransaction")
    assert original is not None
    asked = dict(original[0].attrib)
    known = ledger.find(asked["TransactionID"])
    if known is None:
        return compose.failure("NotFound", f"No transaction {asked['TransactionID']}")
    faults = [
        f"{name} is {original.get(name)}, was {value}"
        for name, value in {"SaleID": known.sale_id, "POIID": known.poi_id}.items()
        if original.get(name, value) != value
    ]
    if asked != poi_data(known):
        faults.append(f"TimeStamp is {asked['TimeStamp']}, was {known.timestamp}")
    if faults:
        violation(f"OriginalPOITransaction: {faults[0]}")
        return compose.failure("NotFound", faults[0])
    if reversible is None or known is not reversible[0]:
        return compose.failure("Refusal", "Only the last transaction, if it was approved")
    return None


class Reversal(Dialogue):
    """The reversal of the last transaction."""

    def __init__(
        self,
        request: Message,
        origin: Origin,
        panel: Panel,
        ledger: Ledger,
        remember: Remember,
        reversible: Reversible,
    ) -> None:
        super().__init__(request, origin, panel, ledger, remember)
        self.phase = Phase.HOST
        self.reversible = reversible

    async def run(self) -> None:
        """Ask the bank, then answer."""
        assert self.reversible is not None
        transaction, slip = self.reversible
        await self._panel.show(self.origin, "reversing")
        await trio.sleep(self._panel.taken(self._panel.settings.reversal_time))
        if self._panel.settings.refuse_reversals:
            response = compose.failure("Refusal", "Reversal refused by the issuer")
            self._decide(compose.simple("Reversal", response))
            await self._panel.show(self.origin, "declined")
            return
        self._ledger.update(transaction, State.REVERSED)
        self.reversible = None
        self._panel.say(f"{transaction.type} {transaction.amount} {transaction.currency}: reversed")
        self._decide(compose.reversal_response(poi_data(transaction), slip, self._panel.now()))
        await self._panel.show(self.origin, "approved")
