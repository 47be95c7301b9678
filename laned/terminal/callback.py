"""The app that the terminal posts to: displays, printouts, questions and notifications.

A display is answered at once, before the lane has taken it: an answer that waits for a disk delays
the terminal. The connection of a question is held until it is answered, any other until what was
told is on disk. Nothing that is refused here has an effect. Source: protocol, section "What the
terminal posts to us".
"""

import itertools
import logging
from collections import deque
from contextlib import suppress
from typing import Final

import trio

from laned.http.asgi import (
    BodyTimeout,
    BodyTooLarge,
    Disconnected,
    Receive,
    Scope,
    Send,
    ThrottledLog,
    disconnected,
    guarded,
    read_body,
    respond,
)
from laned.http.serve import Peer
from laned.http.slots import Share
from laned.inbox import LaneStopped, Submit
from laned.lane import events as ev
from laned.lane.addresses import unproven
from laned.lane.state import LaneState
from laned.nexo import NexoError, decode, encode
from laned.nexo.announcement import announced_address
from laned.nexo.messages import (
    CONTENT_TYPE,
    PATH,
    Body,
    DisplayOutput,
    DisplayRequest,
    DisplayResponse,
    EventNotification,
    InputCommand,
    InputRequest,
    InputResponse,
    Message,
    MessageType,
    OutputResult,
    OutputText,
    PrintRequest,
    PrintResponse,
    Response,
    ResponseMode,
    Result,
    TransmitRequest,
    response_header,
)
from laned.nexo.xml import MAX_BYTES, shown
from laned.publishing import Watch
from laned.terminal.allowlist import Peers
from laned.terminal.names import Names

log = logging.getLogger("laned.callback")

MAX_TEXTS: Final = 16  # lines of one DisplayRequest; far more than any display has
MAX_TEXT: Final = 256  # characters of one of them
MAX_DETAILS: Final = 1024  # characters that a notification may say beside its name
STRANGERS: Final = 6  # messages of one peer that is not allowed, looked into within
STRANGERS_WITHIN: Final = 60.0  # seconds
MAX_STRANGERS: Final = 64  # peers of which that is remembered
BODY_WITHIN: Final = 5.0  # seconds for a whole message to arrive
_DONE: Final = Response(result=Result.SUCCESS)


class _Refused(Exception):  # noqa: N818
    """The message is not for us: an HTTP status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.headers: tuple[tuple[bytes, bytes], ...] = ()
        if status == 405:
            self.headers = ((b"allow", b"POST"),)


class Callback:
    """The terminal's side of the lane, as an ASGI app."""

    def __init__(self, lane: Watch, inbox: Submit, names: Names | None = None) -> None:
        self._lane = lane
        self._inbox = inbox
        self._peers = Peers(names or Names())
        self._strangers: dict[str, deque[float]] = {}  # when each was heard, the newest peer last
        self._keys = itertools.count(1)
        self._log = ThrottledLog(log)
        self.app = guarded(self._app)

    def door(self, who: str | Peer) -> Share:
        """Decide what the peer at this address may hold of the listener's connections."""
        return self._peers.share(str(who), self._lane.state)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: tuple[tuple[bytes, bytes], ...] = ()
        try:
            body = await read_body(receive, MAX_BYTES, BODY_WITHIN)
            answer = await self._answer(*await self._admit(scope, body), receive)
            content = encode(answer) if answer is not None else None
        except _Refused as refused:
            status, why, headers = refused.status, str(refused), refused.headers
        except BodyTooLarge as error:
            status, why = 413, str(error)
        except BodyTimeout as error:
            status, why = 408, str(error)
        except NexoError as error:
            status, why = 400, str(error)
        except LaneStopped:
            status, why = 503, "the daemon is stopping"
        else:
            if content is None:
                await respond(send, 204)
            else:
                await respond(send, 200, content, CONTENT_TYPE)
            return
        peer = (scope.get("client") or ("?",))[0]
        self._log.warning(f"refused {status}", f"{peer}: refused with {status}: {why}")
        await respond(send, status, f"{why}\n".encode(), headers=headers)

    async def _admit(self, scope: Scope, body: bytes) -> tuple[Message, str, bool]:
        """The message, if it may be heard: to the right place, for us; who sent it; if allowed.

        Of others than the allowed peers only a terminal is heard that announces its own address
        (contract, Session), and that not too often.
        """
        if scope["path"] != PATH:
            raise _Refused(404, f"only {PATH} is here")
        if scope["method"] != "POST":
            raise _Refused(405, f"{scope['method']} is not POST")
        peer = (scope.get("client") or ("",))[0]
        if not self._peers.admits(peer, self._lane.state):  # it may have changed meanwhile
            return self._announcement(body, peer), peer, False
        message = decode(body)
        ours = self._lane.state.config.terminal.poi_id
        if message.header.poi_id != ours:
            raise _Refused(400, f"POIID {shown(message.header.poi_id)} is not {ours!r}")
        if message.header.type == MessageType.RESPONSE:
            raise _Refused(400, "a response, but nothing was asked on this connection")
        return message, peer, True

    def _announcement(self, body: bytes, peer: str) -> Message:
        """A stranger's message, if a terminal announces with it that it is there."""
        ours = self._lane.state.config.terminal.poi_id
        if self._may_announce(peer):
            with suppress(NexoError):
                message = decode(body)
                request = message.body
                if message.header.poi_id == ours and isinstance(request, TransmitRequest):  # noqa: SIM102
                    if _announces(request, peer):
                        return message
        raise _Refused(403, "not the terminal, and not in listener.allow")

    def _may_announce(self, peer: str) -> bool:
        """Whether one more message of this stranger may be looked into; no other's counts."""
        now = trio.current_time()
        heard = self._strangers.pop(peer, deque(maxlen=STRANGERS))
        self._strangers[peer] = heard
        if len(self._strangers) > MAX_STRANGERS:
            del self._strangers[next(iter(self._strangers))]
        if len(heard) == STRANGERS and now - heard[0] < STRANGERS_WITHIN:
            return False
        heard.append(now)
        return True

    async def _answer(
        self, message: Message, peer: str, admitted: bool, receive: Receive
    ) -> Message | None:
        """Bring the message to the lane; what to answer, or None for HTTP 204."""
        body = await self._body(message.body, peer, admitted, receive)
        return None if body is None else Message(response_header(message.header), body)

    async def _body(self, body: Body, peer: str, admitted: bool, receive: Receive) -> Body | None:
        match body:
            case DisplayRequest(outputs=outputs):
                texts = tuple(_shortened(text) for output in outputs for text in output.texts)
                texts = texts[:MAX_TEXTS]  # the till's history keeps many of these
                await self._inbox.submit(ev.DisplayShown(texts))  # its answer waits for no disk
                return _display_response(outputs)
            case PrintRequest(response_mode=mode, receipt=receipt):
                await self._tell(ev.Printed(receipt))
                if mode == ResponseMode.NOT_REQUIRED:
                    return None
                return PrintResponse(qualifier=receipt.qualifier, response=_DONE)
            case EventNotification() as event:
                await self._tell(
                    ev.TerminalNotified(
                        event=event.event[:MAX_TEXT],
                        details=event.details[:MAX_DETAILS],
                        maintenance_required=event.maintenance_required,
                    )
                )
                return None
            case InputRequest() as request:
                return await self._ask(request, receive)
            case TransmitRequest() as announcement:
                address = _announces(announcement, peer)
                if address is not None:
                    await self._inbox.handle(ev.AddressAnnounced(address, admitted))
                return None
            case _:
                self._log.warning("unused", f"a {type(body).__name__} is not used")
                return None

    async def _tell(self, event: ev.Event) -> None:
        """Bring an event to the lane, unless a stranger may have made it up."""
        if not unproven(self._lane.state):
            await self._inbox.handle(event)

    async def _ask(self, request: InputRequest, receive: Receive) -> InputResponse:
        """Hold the terminal's question until somebody answers it.

        Raises Disconnected where the terminal hung up first: nobody is left to be told anything.
        """
        if request.command != InputCommand.GET_CONFIRMATION:
            refusal = Response(
                result=Result.FAILURE,
                error_condition="UnavailableService",
                additional_response=f"InputCommand {request.command} is not supported",
            )
            return _input_response(request, refusal, None)
        key = str(next(self._keys))
        asked = ev.InputAsked(key, _text(request.display), request.max_input_time)

        def closed(state: LaneState) -> bool | None:
            prompt = state.closed
            return bool(prompt.answer) if prompt is not None and prompt.key == key else None

        gone = False

        async def hung_up() -> None:
            nonlocal gone
            await disconnected(receive)
            gone = True
            with suppress(LaneStopped):
                await self._inbox.handle(ev.InputWithdrawn(key))
            nursery.cancel_scope.cancel()

        async def bring() -> None:
            with suppress(LaneStopped):
                await self._inbox.handle(asked)
                return
            nursery.cancel_scope.cancel()

        confirmed: bool | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hung_up)
            nursery.start_soon(bring)
            # waiting begins before the lane knows the question: no answer can come too early
            confirmed = await self._lane.until(closed)
            nursery.cancel_scope.cancel()
        if gone:
            raise Disconnected
        if confirmed is None:
            raise LaneStopped
        return _input_response(request, _DONE, confirmed)


def _announces(request: TransmitRequest, peer: str) -> str | None:
    """The address that its sender announces as its own."""
    announced = announced_address(request)
    mine = announced is not None and announced[0] == peer.removeprefix("::ffff:")
    return announced[1] if announced is not None and mine else None


def _display_response(outputs: tuple[DisplayOutput, ...]) -> DisplayResponse | None:
    """Only where it is asked for: live integrations answer 204 when the flag is absent."""
    if not any(output.response_required for output in outputs):
        return None
    return DisplayResponse(results=tuple(_output_result(output) for output in outputs))


def _output_result(output: DisplayOutput) -> OutputResult:
    return OutputResult(device=output.device, info_qualify=output.info_qualify, response=_DONE)


def _input_response(
    request: InputRequest, response: Response, confirmed: bool | None
) -> InputResponse:
    return InputResponse(
        device=request.device,
        info_qualify=request.info_qualify,
        command=request.command,
        response=response,
        output=_output_result(request.display) if request.display is not None else None,
        confirmed=confirmed,
    )


def _shortened(text: OutputText) -> OutputText:
    return OutputText(text.text[:MAX_TEXT], text.code)


def _text(display: DisplayOutput | None) -> str:
    if display is None:
        return ""
    return "\n".join(_shortened(text).text for text in display.texts[:MAX_TEXTS])
