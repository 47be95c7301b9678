"""What a till is answered with where it is no payment and no view of the lane."""

from typing import Literal

from msgspec import Struct

from laned.lane.payment import Payment


class Payments(Struct, frozen=True):
    """A page of payments, newest first."""

    payments: tuple[Payment, ...]


class PromptAnswer(Struct, frozen=True):
    """A prompt that the till has answered."""

    id: str
    answer: bool
    by: Literal["till"] = "till"


class Learning(Struct, frozen=True):
    """For so many seconds a first address may come from anywhere."""

    seconds: float


class Press(Struct, frozen=True):
    """A press of a virtual button that has begun."""

    name: str
    seconds: float
