"""A terminal on a random walk: it may answer anything."""

from decimal import Decimal
from random import Random

import lanes
from lanes import Lane, replace
from walkmemory import Memory

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.nexo import messages as m

CONDITIONS = ("", "SomethingNew", *m.ErrorCondition)
LIKELY = ("Refusal", "Aborted", "Busy", "NotAllowed", "LoggedOut", "InProgress", "DeviceOut")
STATUS_LIKELY = ("Busy", "NotFound", "NotFound", "NotAllowed", "LoggedOut", "InProgress")
PORTS: tuple[ev.Port, ...] = ("closed", "silent", "silent", "answered")
Answer = m.PaymentResponse | m.ReversalResponse


def choose_logout(chance: float) -> ev.LogoutEnded:
    """A Logout's end."""
    return ev.LogoutEnded(None) if chance < 0.5 else lanes.logout("Busy" if chance < 0.7 else None)


class RandomTerminal:
    """Answers what `lane` sends."""

    def __init__(self, random: Random, lane: Lane, memory: Memory) -> None:
        self.random = random
        self.lane = lane
        self.memory = memory
        self.left: set[str] = set()  # attempts whose last byte has left

    def answer_to(self, send: fx.Send) -> ev.Event | None:
        sent_id = send.message.header.service_id or ""
        chance = self.random.random()
        match send.message.body:
            case m.LoginRequest():
                if chance < 0.15:
                    return ev.LoginFailed("no answer")
                serial = lanes.SERIAL if chance < 0.9 else "serial-2"
                return lanes.login(serial, None if chance > 0.25 else "Busy")
            case m.LogoutRequest():
                return choose_logout(chance)
            case m.AdminRequest():
                done = m.AdminResponse(response=m.Response(result="Success"))
                return ev.UpdateAnswered(done if chance < 0.7 else None)
            case m.PaymentRequest() | m.ReversalRequest():
                if chance < 0.2:
                    return ev.AttemptLost(sent_id, "broken")
                if chance < 0.25 and sent_id not in self.left:
                    return ev.AttemptNotSent(sent_id, "no route")
                header, response, owner = self._response(send)
                return ev.AttemptAnswered(
                    service_id=sent_id,
                    header=header,
                    response=response,
                    poi_owner=owner,
                    superseded_by=self.memory.superseding(sent_id),
                )
            case m.TransactionStatusRequest():
                return self._status_answer(send, sent_id)
            case _:
                return None  # AbortRequest: nothing depends on its answer

    def _status_answer(self, send: fx.Send, sent_id: str) -> ev.Event:
        chance = self.random.random()
        if chance < 0.15:
            return ev.StatusFailed(sent_id, "no answer", self.random.choice(PORTS))
        if chance < 0.75:
            likely = self.random.random() < 0.9
            condition = self.random.choice(STATUS_LIKELY if likely else CONDITIONS)
            response = m.Response(result="Failure", error_condition=condition)
            return ev.StatusAnswered(
                service_id=sent_id, response=m.TransactionStatusResponse(response=response)
            )
        asked = send.message.body
        assert isinstance(asked, m.TransactionStatusRequest)
        about = self._attempts(before=send)
        if asked.reference is not None:
            named = asked.reference.service_id
            about = [sent for sent in about if sent.message.header.service_id == named]
        elif not about or self.random.random() < 0.2:
            if not about:
                return ev.StatusFailed(sent_id, "no answer")
            return replace(self.lane.last_was(None), service_id=sent_id)
        header, response_, owner = self._response(self.random.choice(about[-4:]))
        body = response_ if self.random.random() < 0.95 else m.UnknownBody("Anything")
        repeated = m.RepeatedMessage(header=header, body=body)
        return ev.StatusAnswered(
            service_id=sent_id,
            response=m.TransactionStatusResponse(
                response=m.Response(result="Success"), repeated=repeated
            ),
            poi_owner=owner,
            repeated_of=self.memory.payment_of(repeated),
            superseded_by=self.memory.superseding(repeated.header.service_id or ""),
        )

    def _attempts(self, before: fx.Send) -> list[fx.Send]:
        sends = self.lane.sends[: self.lane.sends.index(before)]
        kinds = (m.PaymentRequest, m.ReversalRequest)
        return [send for send in sends if isinstance(send.message.body, kinds)]

    def _rarely(self) -> bool:
        return self.random.random() < 0.04

    def _response(self, send: fx.Send) -> tuple[m.Header, Answer, str | None]:
        """An answer to this attempt: right, or wrong in one way or another."""
        rarely = self._rarely
        body = send.message.body
        header = m.response_header(send.message.header)
        for field in ("service_id", "sale_id", "poi_id"):
            if rarely():
                header = replace(header, **{field: self.random.choice(("other", None))})
        if isinstance(body, m.ReversalRequest) is not rarely():
            return header, self._reversal(), None
        assert isinstance(body, m.PaymentRequest | m.ReversalRequest)
        if isinstance(body, m.ReversalRequest):
            wrong = m.PaymentResponse(response=m.Response(result="Success"))
            return header, wrong, None
        echoed: m.TransactionID | None = body.transaction
        if rarely():
            echoed = self.random.choice((None, m.TransactionID("other", "t")))
        poi = m.TransactionID(f"poi-{self.random.randint(1, 10**6)}", "t")
        owner = self.random.choice(("other", None, None)) if rarely() else None
        if self.random.random() < 0.45:
            likely = self.random.random() < 0.9
            condition = self.random.choice(LIKELY if likely else CONDITIONS)
            response = m.Response(result="Failure", error_condition=condition or None)
            answer = m.PaymentResponse(
                response=response, sale_transaction=echoed, poi_transaction=poi
            )
            return header, answer, owner
        charged, tip, currency = body.requested_amount, None, "SEK"
        if rarely():
            charged += Decimal("0.01")
        if self.random.random() < 0.2:
            tip = Decimal(5)
            charged += tip if not rarely() else Decimal(0)
        if rarely():
            currency = "NOK"
        amounts = m.AmountsResp(authorized_amount=charged, tip_amount=tip, currency=currency)
        result = "Partial" if rarely() else "Success"
        answer = m.PaymentResponse(
            response=m.Response(result=result),
            sale_transaction=echoed,
            poi_transaction=poi,
            instrument="Card" if not rarely() else "Mobile",
            amounts=None if rarely() else amounts,
            receipts=self.random.choice(
                ((), (lanes.receipt(),), (lanes.receipt(signature=False),))
            ),
        )
        return header, answer, owner

    def _reversal(self) -> m.ReversalResponse:
        if self.random.random() < 0.5:
            return m.ReversalResponse(response=m.Response(result="Success"))
        likely = self.random.random() < 0.9
        condition = self.random.choice(LIKELY if likely else CONDITIONS)
        return m.ReversalResponse(
            response=m.Response(result="Failure", error_condition=condition or None)
        )
