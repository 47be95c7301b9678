"""Mutated messages: read, or refused with a NexoError; never anything else, never slowly."""

import random
import re
import time

import pytest
from golden_messages import GOLDEN
from nexo_wire import FROM_TERMINAL

from laned.nexo import NexoError, decode, encode
from laned.nexo import messages as m

ROUNDS = 400  # for each message
SECONDS = 2.0  # of processor time for all rounds of one message; it takes a twentieth of it

SEEDS = FROM_TERMINAL | {f"our {name}": encode(message) for name, (message, _) in GOLDEN.items()}

# What mutations put in: the marks of XML, values that numbers and base64 trip over, odd bytes.
BITS = (
    b"<", b">", b'"', b"'", b"&", b"/>", b"</", b"<!--", b"]]>", b"<![CDATA[", b"<?xml ",
    b"<!DOCTYPE a>", b"&#0;", b"&amp;", b"&lt;", b"&#x1F600;", b":", b"=", b"", b" ", b"\n",
    b"\x00", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"NaN", b"-1", b"1e9", b"9" * 40, b",", b'""',
    b"true", b"Response", b"Success", b"ServiceID=\"\"", b"A" * 300,
)  # fmt: skip


VALUES = (
    b"", b" ", b"-1", b"1e9", b"1,5", b"NaN", b"9" * 40, b"9" * 5000, b"0" * 5000, b"\xd9\xa3",
    b"true", b"2", b"Request", b"Response", b"Payment", b"2025-13-45T25:61:61+99:99",
    b"0000-00-00T00:00:00Z", b"2025-02-03", b"e30=", b"W1tbW1tb", b"bnVsbA==", b"====", b"[[[[",
    b"9202,&quot;a&quot;", b"&#10;", b"A" * 5000,
)  # fmt: skip
# An attribute's value, or a text.
VALUE = re.compile(rb'(?<==")[^"]*(?=")|(?<=>)[^<]*(?=</)')


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A few changes: to values only, so that it stays XML, or to any bytes."""
    anything = rng.random() < 0.5
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(VALUE.finditer(data))
        if anything or not places:
            start = rng.randrange(len(data) + 1)
            end = min(len(data), start + rng.choice((0, 1, 1, 2, 8, 60)))
            new = some_bytes(data[start:end], rng)
        else:
            start, end = rng.choice(places).span()
            new = rng.choice(VALUES)
        data = data[:start] + new + data[end:]
    return data


def some_bytes(old: bytes, rng: random.Random) -> bytes:
    match rng.randrange(4):
        case 0:
            return rng.choice(BITS)
        case 1:
            return rng.randbytes(1)
        case 2:
            return old * 2
        case _:
            source = rng.choice(list(SEEDS.values()))
            at = rng.randrange(len(source))
            return source[at : at + rng.choice((1, 10, 100))]


@pytest.mark.parametrize("name", SEEDS)
def test_mutations_are_read_or_refused(name: str) -> None:
    rng = random.Random(f"nexo {name}")
    read, errors = 0, []
    begun = time.process_time()
    for _ in range(ROUNDS):
        try:
            message = decode(mutated(SEEDS[name], rng))
        except NexoError as error:
            errors.append(str(error))
        else:
            answer_to(message)
            read += 1
    assert time.process_time() - begun < SECONDS
    assert min(read, len(errors)) > ROUNDS // 20
    assert all(0 < len(error) < 1000 for error in errors)


def answer_to(message: m.Message) -> None:
    """What was read can be answered, or the answer is refused in the same orderly way."""
    if not isinstance(message.body, m.DisplayRequest):
        return
    accepted = m.Response(result="Success")
    results = tuple(
        m.OutputResult(device=output.device, info_qualify=output.info_qualify, response=accepted)
        for output in message.body.outputs
    )
    answer = m.Message(m.response_header(message.header), m.DisplayResponse(results=results))
    try:
        written = encode(answer)
    except NexoError:
        return
    assert decode(written) == answer
