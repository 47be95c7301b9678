"""No card number, token, PIN or receipt in any log: every scenario of the simulator, at DEBUG.

The whole lane, its libraries and the simulated terminal's server run on real sockets in this
process; everything that any of them logs is kept and searched.
"""

import logging
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from laned.demo.plays import AMOUNT
from laned.demo.scenario import play_scenario
from laned.demo.till import Till
from laned.simulator import SCENARIOS
from laned.system.logging import LIBRARIES, OneLine

SPEED = 50.0
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
DATE = re.compile(r"[\d\s:-]+")
SHOWN = ("Present card", "Enter PIN", "Authorizing", "Signature approved?")
"""Displays of the simulated terminal."""


class Log:
    """All that is logged, as laned writes it and as it would be written with every detail."""

    def __init__(self) -> None:
        self._texts = StringIO(), StringIO()
        self.handlers = [logging.StreamHandler(text) for text in self._texts]
        self.handlers[0].setFormatter(OneLine(FORMAT))
        self.handlers[1].setFormatter(logging.Formatter(FORMAT))
        self.loggers: set[str] = set()
        for handler in self.handlers:
            handler.addFilter(self._note)

    def _note(self, record: logging.LogRecord) -> bool:
        self.loggers.add(record.name)
        return True

    @property
    def text(self) -> str:
        return "".join(text.getvalue() for text in self._texts)


@pytest.fixture
def log() -> Iterator[Log]:
    kept = Log()
    loggers = [logging.getLogger(name) for name in ("", *LIBRARIES)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    for handler in kept.handlers:
        loggers[0].addHandler(handler)
    yield kept
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    for handler in kept.handlers:
        loggers[0].removeHandler(handler)


class Secrets:
    """What must not be logged: found in the scenario, and in all that the till is told."""

    def __init__(self, scenario: str) -> None:
        pan = SCENARIOS[scenario].masked_pan
        self.found = {pan, pan[:6], f"*{pan[-4:]}", "**", *SHOWN}
        self.receipts = 0
        self.tokens = 0

    def hear(self, payment: dict[str, Any]) -> None:
        """Take the secrets of a payment as the till has it."""
        for receipt in (payment.get("receipts") or {}).values():
            if receipt is not None:
                self.receipts += 1
                lines = (line.strip() for line in receipt["lines"])
                self.found |= {line for line in lines if line and not DATE.fullmatch(line)}
        card = payment.get("card")
        if card is not None and card["token"] is not None:
            self.tokens += 1
            self.found |= {card["token"], card["masked_pan"]}


@pytest.fixture
def secrets(scenario: str, monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """The demo's till asks for a token, too, and its answers are looked through."""
    found = Secrets(scenario)
    ask = Till._ask

    async def asked(
        self: Till, method: str, path: str, body: Any = None, headers: Any = None
    ) -> dict[str, Any]:
        if method == "PUT":
            body = {**body, "token": True}
        told = await ask(self, method, path, body, headers)
        found.hear(told)
        return told

    monkeypatch.setattr(Till, "_ask", asked)
    return found


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_no_secret_in_any_log(
    scenario: str, log: Log, secrets: Secrets, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await play_scenario(scenario, SPEED) == 0, capfd.readouterr().err
    text = log.text + capfd.readouterr().err
    assert f"payment demo-1 {AMOUNT} SEK" in text
    assert log.loggers >= {"laned.lane", "httpcore.http11", "httpx"}
    if scenario == "happy":
        assert secrets.receipts
        assert secrets.tokens
    for secret in secrets.found:
        for line in text.splitlines():
            assert secret not in line
