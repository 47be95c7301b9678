"""The configuration file: read, checked, every finding at once. Only `load` touches a file."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from laned.config import pins
from laned.config.schema import DEFAULT_BUTTON_PINS, JOURNAL_NAME, Config, decimals
from laned.config.toml_reader import read_table

MAX_FILE_BYTES: Final = 64 * 1024
MAX_FINDINGS: Final = 20


class ConfigError(Exception):
    """The configuration cannot be used; `str()` is a line for each of the first `findings`."""

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = tuple(findings)
        more = len(findings) - MAX_FINDINGS
        rest = [f"and {more} more"] if more > 0 else []
        super().__init__("\n".join([*findings[:MAX_FINDINGS], *rest]))


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read and check the file at `path`. Raises ConfigError, also when it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror or error}"]) from error
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError([f"{path}: larger than {MAX_FILE_BYTES // 1024} KiB"])
    try:
        text = raw.decode("utf-8-sig")  # some editors put a byte order mark first
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"line {line}: byte 0x{raw[error.start]:02X} is not UTF-8"
        raise ConfigError([f"{path}: {found}; save the file as UTF-8"]) from error
    return parse(text, str(path), environ)


def parse(text: str, source: str, environ: Mapping[str, str]) -> Config:
    """Read and check a configuration; errors call it `source`.

    `environ` may have systemd's STATE_DIRECTORY, where the journal then is unless the text says
    otherwise. Raises ConfigError with every finding; contradictions between keys are looked for
    only when each key is right by itself.
    """
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError([f"{source}: not valid TOML: {error}"]) from error
    except RecursionError as error:
        raise ConfigError([f"{source}: not valid TOML: nested too deeply"]) from error
    _fill_in(document, environ)
    findings: list[str] = []
    config = read_table(Config, document, "", findings)
    if config is not None:
        findings.extend(_contradictions(config))
    if config is None or findings:
        raise ConfigError([f"{source}: {finding}" for finding in findings])
    return config


def _fill_in(document: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Give left out keys those defaults that do not depend on their struct alone."""
    directory = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    journal = document.setdefault("journal", {})
    if directory and isinstance(journal, dict):
        journal.setdefault("path", f"{directory}/{JOURNAL_NAME}")
    buttons = document.get("buttons")
    for name, pin in DEFAULT_BUTTON_PINS.items():
        if isinstance(buttons, dict) and isinstance(button := buttons.get(name), dict):
            button.setdefault("pin", pin)


def _contradictions(config: Config) -> Iterator[str]:
    """Findings about keys that are right by themselves, and wrong beside another."""
    if config.lane.mode == "light" and config.terminal.host_port is None:
        yield 'terminal.address: "auto" needs the listener, which lane.mode = "light" has not'
    amount, currency = config.payment.max_amount, config.terminal.currency
    if len(amount.partition(".")[2]) > decimals(currency):
        allowed = f"the {decimals(currency)} decimals of {currency}"
        yield f'payment.max_amount: "{amount}" has more than {allowed}'
    yield from config.display.contradictions()
    yield from pins.contradictions(config)
