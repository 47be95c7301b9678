"""The books: the terminals' ledgers against the journal, and what may stay unknown."""

import json
from typing import Any

from rules import Rules, is_final

from laned.lane.payment import Order
from laned.simulator import State, Transaction

UNSEEN = "Abort while the signature question is open"
"""A question that has not reached the lane binds nobody; if it has, the rules look at it."""
STRANGER = tuple(f"answered with 403, expected {wanted}" for wanted in (200, 204))
"""The lane looks for the terminal elsewhere just now; if it does not, that is found at once."""
STOPPING = tuple(f"answered with 503, expected {wanted}" for wanted in (200, 204))
"""The daemon ends in this very moment; if it does not, that is found at once."""


class Books(Rules):
    """What really happened, beside what the lane wrote down and told.

    `excused`: how complaints of the terminal end that are not the lane's fault. `set_aside`: how
    many payments are at the end.
    """

    excused: tuple[str, ...] = (UNSEEN, *STRANGER, *STOPPING)
    set_aside = 0

    # -- What may stay set aside

    def excuse(self, payment_id: str) -> str:
        """Why the terminal that is there cannot tell what became of it; empty: it can."""
        sql = (
            "SELECT service_id FROM attempts JOIN payments ON payment = payments.seq"
            " WHERE id = ? ORDER BY attempts.seq DESC LIMIT 1"
        )
        (service_id,) = self.rows(sql, payment_id)[0]
        terminal = self.world.terminal
        if self.recorded[service_id].serial != terminal.settings.serial:
            return "another terminal"
        if service_id in self.world.lies:
            return "another amount"
        if terminal._memory.find({"ServiceID": service_id}) is None:
            return "forgotten"
        return ""

    def truth(self, payment_id: str) -> str:
        """What a person finds in the bank's books; empty while the terminal is still at it."""
        states = {entry.state for entry in self._entries(payment_id)}
        if State.RUNNING in states:
            return ""
        return "approved" if State.CHARGED in states else "failed"

    def _entries(self, payment_id: str) -> list[Transaction]:
        return [
            entry
            for terminal in self.world.terminals
            for entry in terminal.ledger
            if entry.sale_transaction_id.rpartition(".")[0] == payment_id
        ]

    # -- At the end

    def compare(self) -> None:
        """The ledgers of all terminals against the journal, payment by payment."""
        found = {
            payment_id: json.loads(document)
            for payment_id, document in self.rows("SELECT id, document FROM payments")
        }
        for terminal in self.world.terminals:
            for violation in terminal.violations:
                if not violation.endswith(self.excused):
                    self.fault(f"the terminal: {violation}")
            for entry in terminal.ledger:
                payment_id = entry.sale_transaction_id.rpartition(".")[0]
                if payment_id not in found and payment_id not in self.lost:
                    self.fault(f"{payment_id} is in the ledger and in no journal")
                if self.recorded[entry.service_id].serial != terminal.settings.serial:
                    self.fault(f"{payment_id} was asked of another terminal than is on disk")
                if entry.state is State.RUNNING:
                    self.fault(f"{payment_id} still runs at the terminal")
        for payment_id, order in self.orders.items():
            self._compare(payment_id, order, found.get(payment_id))
        ids = [ids["service_id"] for payment in found.values() for ids in payment["attempts"]]
        if len(ids) != len(set(ids)):
            self.fault("two attempts have the same ServiceID")

    def _compare(self, payment_id: str, order: Order, payment: Any) -> None:
        entries = self._entries(payment_id)
        moved = [entry for entry in entries if entry.state in (State.CHARGED, State.REVERSED)]
        charged = [entry for entry in moved if entry.state is State.CHARGED]
        if len(moved) > 1:
            self.fault(f"{payment_id} was charged {len(moved)} times")
        kind = "Refund" if order.type == "refund" else "Normal"
        for entry in entries:
            if (entry.amount, entry.currency, entry.type) != (order.amount, order.currency, kind):
                self.fault(f"{payment_id} was asked as {order}, done as {entry}")
        if payment is None:
            self._compare_lost(payment_id, len(charged))
            return
        state, reversal = payment["state"], payment["reversal"]
        # light integration: charged, but nobody has signed for it, so it was taken back
        unsigned = state == "declined" and bool(reversal)
        if payment["set_aside_at"] and not is_final(payment):
            self.set_aside += 1  # and only then may it have been charged, or not
            if why := self.excuse(payment_id):
                self.world.covered.fact(f"set aside at the end: {why}")
            else:
                self.fault(f"{payment_id} is set aside, and the terminal can tell")
        elif not is_final(payment):
            self.fault(f"{payment_id} is {state} at the end")
        elif (state == "approved") != bool(charged):
            self.fault(f"{payment_id} is {state}, charged {len(charged)} times")
        elif (state == "reversed" or unsigned) != (bool(moved) and not charged):
            self.fault(f"{payment_id} is {state}, and not so in the ledger")
        elif state == "approved" and not payment["resolved"]:
            self._same(payment_id, payment, charged[0])

    def _compare_lost(self, payment_id: str, charged: int) -> None:
        """The journal that had it is gone: only what tills were told before can be held to."""
        told = self.last_told.get(payment_id)
        state, final = self.lost.get(payment_id, ("", False))
        if payment_id not in self.lost:
            if charged or told:
                self.fault(f"{payment_id} was charged or told of, and is in no journal")
        elif final and state != "reversed" and (state == "approved") != bool(charged):
            self.fault(f"{payment_id} was {state} in a lost journal, charged {charged} times")

    def _same(self, payment_id: str, payment: Any, entry: Transaction) -> None:
        poi = payment["poi_transaction"]
        if poi != {"id": entry.poi_transaction_id, "timestamp": entry.timestamp}:
            self.fault(f"{payment_id} has {poi}, and is {entry.poi_transaction_id}")
        if str(entry.amount + entry.tip) != str(payment["authorized_amount"]):
            authorized = float(payment["authorized_amount"])
            if authorized != float(entry.amount + entry.tip):
                self.fault(f"{payment_id}: {authorized} authorized, {entry.amount}+{entry.tip}")
        told = payment["error"] and payment["error"]["condition"] == "ReversalRefused"
        if self._signed(entry) and payment_id not in self.said_yes and not told:
            self.fault(f"{payment_id} approved though nobody said that the signature is good")

    def _signed(self, entry: Transaction) -> bool:
        for terminal in self.world.terminals:
            if entry in list(terminal.ledger):
                return terminal.chosen[entry.service_id].signature
        return False
