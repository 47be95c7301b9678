"""The configuration: what is valid, and perhaps not what was meant."""

from collections.abc import Iterator
from pathlib import Path

from laned.check.box import Box
from laned.check.finding import Finding, broken, ok, warning
from laned.config.schema import Config

SUBJECT = "configuration"


def check(config: Config, path: Path, box: Box) -> Iterator[Finding]:
    """Check a configuration that could be loaded from `path`."""
    if box.service and not box.may_read(path):
        yield broken(SUBJECT, f"{path} may not be read by {box.user}", f"sudo chmod 644 {path}")
    else:
        yield ok(SUBJECT, f"{path} is valid")
    if config.maintenance.times is None:
        yield warning(
            SUBJECT,
            'maintenance.window = "": the terminal is never let go to update itself',
            'set a window of at least 60 minutes at night, such as "03:00-04:30", or see to it'
            " otherwise: laned logout --maintenance",
        )
    buttons, payment = config.buttons, config.payment
    if buttons.approve is not None and payment.signature != "button":
        yield warning(
            SUBJECT,
            f'buttons.approve does nothing while payment.signature = "{payment.signature}"',
            'set payment.signature = "button", or take the button out',
        )
    if buttons.driver == "none" and payment.confirm == "button":
        yield warning(
            SUBJECT,
            'payment.confirm = "button", and buttons.driver = "none": only a till can confirm',
            'set buttons.driver = "gpio" or payment.confirm = "none"',
        )
    if buttons.driver == "none" and payment.signature == "button":
        yield warning(
            SUBJECT,
            'payment.signature = "button", and buttons.driver = "none": every signature is'
            " declined when its time is over",
            'set buttons.driver = "gpio" or payment.signature = "till"',
        )
