"""Hostile and broken XML: refused with a NexoError, soon, and within bounds."""

import pytest

from laned.nexo.xml import (
    MAX_ATTRIBUTES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_SHOWN,
    NexoError,
    parse,
)

BILLION_LAUGHS = (
    "<!DOCTYPE a ["
    + '<!ENTITY l0 "ha">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]><a>&l9;</a>"
).encode()


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


def with_attributes(count: int) -> bytes:
    return b"<a " + b" ".join(b"x%d=''" % number for number in range(count)) + b"/>"


def test_elements_have_local_names_texts_and_attributes() -> None:
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<n:a xmlns:n="urn:x"><!-- no -->'
        '<n:b k="v">å<![CDATA[<&>]]>&amp;&#246;</n:b><?p i?></n:a>'
    )
    root = parse(text.encode())
    assert root.tag == "a"
    assert [(child.tag, child.text, child.get("k")) for child in root] == [("b", "å<&>&ö", "v")]


def test_limits_are_reached_but_not_passed() -> None:
    assert parse(nested(MAX_DEPTH)).tag == "a"
    many = b"<a>" + b"<b/>" * (MAX_ELEMENTS - 1) + b"</a>"
    assert len(parse(many)) == MAX_ELEMENTS - 1
    assert len(parse(with_attributes(MAX_ATTRIBUTES)).attrib) == MAX_ATTRIBUTES
    padded = b"<a>" + b" " * (MAX_BYTES - 7) + b"</a>"
    assert len(padded) == MAX_BYTES
    assert parse(padded).tag == "a"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (BILLION_LAUGHS, "DTD"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><a/>', "DTD"),
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>', "DTD"),
        (b"<!DOCTYPE a><a/>", "DTD"),
        (b"<a>&undefined;</a>", "undefined entity"),
        (nested(MAX_DEPTH + 1), f"at most {MAX_DEPTH} levels"),
        (b"<a>" * 50_000, f"at most {MAX_DEPTH} levels"),
        (b"<a>" * 1_000_000, f"at most {MAX_BYTES}"),
        (b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>", f"more than {MAX_ELEMENTS}"),
        (with_attributes(MAX_ATTRIBUTES + 1), f"found {MAX_ATTRIBUTES + 1} attributes"),
        (with_attributes(20_000), "20000 attributes"),
        (with_attributes(100_000), f"at most {MAX_BYTES}"),
        (b"<a>" + b" " * (MAX_BYTES - 6) + b"</a>", f"at most {MAX_BYTES}"),
        (b"", "no element found"),
        (b"   ", "no element found"),
        (b"hello", "syntax error"),
        (b"<a><b></a>", "mismatched tag"),
        (b"<a>", "no element found"),
        (b"<a k=", "line 1"),
        (b"<a/><b/>", "junk after document element"),
        (b'<a k="1" k="2"/>', "duplicate attribute"),
        (b"<a>\xff\xfe</a>", "invalid token"),
        (b"<a>\x00</a>", "invalid token"),
        (b"<a>&#0;</a>", "invalid character"),
        (b"<a>&#xD800;</a>", "invalid character"),
        (b'<?xml version="1.0" encoding="rot13"?><a/>', "found 'rot13'"),
        (b'<?xml version="1.0" encoding="idna"?><a/>', "found 'idna'"),
        (b'<?xml version="1.0" encoding="shift_jis"?><a/>', "found 'shift_jis'"),
        (b'<?xml version="1.0" encoding="windows-1252"?><a/>', "found 'windows-1252'"),
        (b'<?xml version="1.0" encoding="nonesuch"?><a/>', "expected one of ISO-8859-1"),
        (b'<?xml version="1.0" encoding="UTF-16"?><a/>', "encoding"),
        (b'<?xml version="1.0" encoding="UTF-8"?><a>\xe5</a>', "not well-formed"),
    ],
)
def test_refused(data: bytes, says: str) -> None:
    with pytest.raises(NexoError, match="found") as refused:
        parse(data)
    assert says in str(refused.value)


def test_every_beginning_of_a_document_is_refused() -> None:
    whole = '<?xml version="1.0"?><a k="v"><b>å&amp;</b></a>'.encode()
    for end in range(len(whole)):
        with pytest.raises(NexoError):
            parse(whole[:end])


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "ISO-8859-1", "iso-8859-1", "UTF-16"])
def test_encodings_that_expat_knows_are_read(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><a>smörgås</a>'
    assert parse(text.encode(encoding)).text == "smörgås"


def test_ascii_is_read_and_holds_nothing_else() -> None:
    declaration = b'<?xml version="1.0" encoding="US-ASCII"?>'
    assert parse(declaration + b"<a>ok</a>").text == "ok"
    with pytest.raises(NexoError):
        parse(declaration + b"<a>\xe5</a>")


def test_an_error_repeats_only_the_beginning_of_what_it_found() -> None:
    with pytest.raises(NexoError) as refused:
        parse(b'<?xml version="1.0" encoding="' + b"x" * 10_000 + b'"?><a/>')
    assert len(str(refused.value)) < MAX_SHOWN + 200
