"""The command line: arguments to what is run."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from laned import __version__, exits
from laned.cli.output import outputs
from laned.exits import DONE, FAILED, INTERRUPTED, USAGE

DEFAULT_CONFIG: Final = "/etc/laned/laned.toml"
DEFAULT_SOCKET: Final = "/run/laned/till.sock"
CURRENCIES: Final = ("SEK", "NOK", "DKK", "EUR")  # config.schema has them too, and takes long


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `laned`; the exit status."""
    with outputs() as out:
        options = _parser().parse_args(arguments)
        run: Callable[[argparse.Namespace], int] = options.run
        try:
            status = run(options)
        except KeyboardInterrupt:
            return INTERRUPTED
        if out.fault:
            print(f"laned: stdout could not be written to: {out.fault}", file=sys.stderr)
        # Of commands that only tell something, that was all there was to do.
        told = out.fault is None or not options.only_tells
        return status if told or status != DONE else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="laned", description="Stands between till software and a card payment terminal."
    )
    parser.add_argument("--version", action="version", version=f"laned {__version__}")
    parser.set_defaults(only_tells=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _daemon_side(commands)
    _till_side(commands)
    return parser


def _daemon_side(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser("run", help="the daemon")
    run.add_argument("--config", type=Path, default=Path(DEFAULT_CONFIG), metavar="PATH")
    run.set_defaults(run=_run)

    check = commands.add_parser("check", help="what is wrong with this lane, and how to mend it")
    check.add_argument("--config", type=Path, default=Path(DEFAULT_CONFIG), metavar="PATH")
    check.add_argument(
        "--press",
        action="store_true",
        help="ask for a press of each button, as always in a terminal window",
    )
    check.set_defaults(run=_check)

    demo = commands.add_parser("demo", help="the whole lane on this machine, no hardware")
    demo.add_argument(
        "--scenario",
        type=_scenario,
        metavar="NAME",
        help="play it to its end and exit; a wrong name tells which ones there are",
    )
    demo.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="times faster")
    demo.set_defaults(run=_demo, only_tells=True)

    simulate = commands.add_parser("simulate", help="only the simulated terminal")
    simulate.add_argument("--listen", type=_bind, default="127.0.0.1:11001", metavar="HOST:PORT")
    simulate.add_argument(
        "--callback",
        type=_callback,
        default="http://127.0.0.1:11000",
        metavar="URL",
        help="where laned listens",
    )
    simulate.add_argument(
        "--scenario", type=_scenario, default="happy", metavar="NAME", help="as for demo"
    )
    simulate.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="times faster")
    simulate.set_defaults(run=_simulate)


def _till_side(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from laned.cli import commands as till

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--socket", type=Path, default=Path(DEFAULT_SOCKET), metavar="PATH")
    common.add_argument("--json", action="store_true", help="print the API's object")

    def add(
        name: str, run: Callable[[argparse.Namespace], int], text: str, *, only_tells: bool = False
    ) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(name, help=text, parents=[common])
        command.set_defaults(run=run, only_tells=only_tells)
        return command

    add("status", till.status, "how the lane is", only_tells=True)
    add("events", till.events, "what happens, as it happens", only_tells=True)
    for name, text in (("pay", "make a payment"), ("refund", "give money back")):
        pay = add(name, till.pay, text)
        pay.add_argument("amount", type=_amount, metavar="AMOUNT", help="with a dot: 38.00")
        pay.add_argument(
            "--id", type=_id, help="the payment's id; the same again never charges twice"
        )
        pay.add_argument("--currency", choices=CURRENCIES)
        pay.add_argument("--no-wait", action="store_true", help="do not wait for the outcome")
        pay.set_defaults(type="refund" if name == "refund" else "payment")
    abort = add("abort", till.abort, "ask for the running payment to end")
    abort.add_argument("id", nargs="?", metavar="ID")
    confirm = add("confirm", till.confirm, "confirm a pending payment in place of the button")
    confirm.add_argument("id", metavar="ID")
    reverse = add("reverse", till.reverse, "take back an approved payment, the terminal's last")
    reverse.add_argument("id", metavar="ID")
    reverse.add_argument("--malfunction", action="store_true", help="the product did not drop")
    resolve = add("resolve", till.resolve, "close an unknown payment by hand")
    resolve.add_argument("id", metavar="ID")
    resolve.add_argument("state", choices=("approved", "failed"))
    resolve.add_argument(
        "--note", type=_note, required=True, metavar="TEXT", help="why you are sure"
    )
    add("acknowledge-journal", till.acknowledge_journal, "take payments with a new journal")
    prompt = add("prompt", till.prompt, "answer a prompt")
    prompt.add_argument("id", metavar="ID")
    prompt.add_argument("answer", choices=("yes", "no"))
    payments = add(
        "payments", till.payments, "what the journal holds, newest first", only_tells=True
    )
    payments.add_argument("--state", metavar="STATE")
    payments.add_argument("--limit", type=int, default=20, metavar="N")
    payments.add_argument("--all", action="store_true", help="the whole journal")
    payments.add_argument("--csv", action="store_true", help="as CSV")
    press = add("press", till.press, "press a virtual button")
    press.add_argument("name", metavar="BUTTON")
    press.add_argument("--seconds", type=float, default=0.1, metavar="S")
    add("login", till.login, "log in to the terminal by hand")
    logout = add("logout", till.logout, "log out of the terminal, until somebody logs in")
    logout.add_argument(
        "--maintenance", action="store_true", help="let it update itself, then log in again"
    )
    add("learn", till.learn, "for 10 minutes take the first terminal that announces its address")


def _note(text: str) -> str:
    """Read it as UTF-8 if its bytes are that, whatever the locale took them for."""
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        return text.encode("utf-8", "replace").decode()


def _amount(text: str) -> str:
    if not re.fullmatch(r"(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,2})?", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no amount: above zero, and at most two decimals after a dot, as in 38.00"
        )
    return text


def _id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,36}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 36 of A-Za-z0-9._-")
    return text


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.01 <= speed <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0.01 to 1000")
    return speed


def _bind(text: str) -> str:
    from laned.http.listen import split_bind

    try:
        split_bind(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _callback(text: str) -> str:
    try:
        url = urlsplit(text)
        good = url.scheme == "http" and url.hostname and url.port and url.path in ("", "/")
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f'{text!r}: expected "http://HOST:PORT"')
    return text


def _scenario(text: str) -> str:
    from laned.simulator import SCENARIOS  # heavy: not for the till's commands

    if text not in SCENARIOS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(SCENARIOS)}")
    return text


def _run(options: argparse.Namespace) -> int:
    import trio

    from laned.config.file import ConfigError
    from laned.daemon import StartError, run
    from laned.journal.store import JournalError
    from laned.system.single_instance import Claimed

    hindrances = (StartError, Claimed, JournalError)
    try:
        return exits.of(lambda: trio.run(run, options.config, os.environ), *hindrances)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return USAGE


def _check(options: argparse.Namespace) -> int:
    import logging

    from laned.check import check
    from laned.system.logging import log_to_stderr

    log_to_stderr(logging.CRITICAL)  # what is logged is found, and said in a line of its own
    return check(options.config, ask=options.press or (sys.stdin.isatty() and sys.stdout.isatty()))


def _demo(options: argparse.Namespace) -> int:
    from laned.demo import demo

    return demo(options.scenario, options.speed)


def _simulate(options: argparse.Namespace) -> int:
    from laned.simulator.command import simulate

    return simulate(options.listen, options.callback, options.scenario, options.speed)
