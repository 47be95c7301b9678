"""Reading payments for those who only ask: what a till may see of the journal."""

from laned.journal.store import AnyJournal
from laned.lane.payment import Payment, PaymentState
from laned.offload import Offload


class PaymentReader:
    """Reads payments as they stand on disk, each call in one trip: JournalError."""

    def __init__(self, journal: AnyJournal, offload: Offload) -> None:
        self._journal = journal
        self._offload = offload

    async def find(self, payment_id: str) -> Payment | None:
        """Read the payment with this id, pruned or not."""
        stored = await self._offload(lambda: self._journal.find(payment_id))
        return stored.payment if stored is not None else None

    async def page(
        self, state: PaymentState | None, limit: int, before: str | None
    ) -> list[Payment] | None:
        """Read payments, newest first; those before the payment `before`, None without such."""
        return await self._offload(lambda: self._journal.payments(state, limit, before))
