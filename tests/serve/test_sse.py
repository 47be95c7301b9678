"""Server-sent events as the standard has them, and as laned writes them."""

import pytest

from laned.http.sse import Event, EventReader, written


def read(stream: str) -> list[Event]:
    reader = EventReader()
    found = [reader.take(line) for line in stream.splitlines(keepends=True)]
    return [event for event in found if event is not None]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        ('event: lane\ndata: {"a": 1}\n\n', [("lane", {"a": 1})]),
        ("event:lane\ndata:{}\n\n", [("lane", {})]),
        ("event: lane\r\ndata: {}\r\n\r\n", [("lane", {})]),
        ('data: "a"\n\ndata: 2\n\n', [("", "a"), ("", 2)]),
        ("event: a\ndata: 1\n\ndata: 2\n\n", [("a", 1), ("", 2)]),
        ("data: [1,\ndata: 2]\n\n", [("", [1, 2])]),
        (": \n\n: a comment\n\nevent: a\n: between\ndata: 1\n\n", [("a", 1)]),
        ("id: 7\nevent: a\nretry: 10\nunheard\ndata: 1\n\n", [("a", 1)]),
        ('event: a\ndata: ": x"\n\n', [("a", ": x")]),
        ("event: without data\n\ndata: 1\n\n", [("", 1)]),
        ("event: cut off\ndata: 1\n", []),
        ("", []),
    ],
)
def test_what_is_read(stream: str, events: list[tuple[str, object]]) -> None:
    assert read(stream) == events


def test_what_is_written() -> None:
    assert written("a", b"{}") == b"event: a\ndata: {}\n\n"
    assert written("a", b"{}", 12) == b"id: 12\nevent: a\ndata: {}\n\n"
    assert read(written("a", b'{"b": ":"}', 12).decode()) == [("a", {"b": ":"})]
