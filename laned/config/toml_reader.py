"""TOML tables into structs: every finding of a file at once, in words for whoever wrote it.

msgspec itself stops at the first error and words it for programmers.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, structs

MAX_SHOWN: Final = 60  # characters of a value that an error repeats

T = TypeVar("T", bound=Struct)


def read_table(kind: type[T], raw: object, path: str, findings: list[str]) -> T | None:
    """`raw` as a `kind`, or None when that, or anything below it, has a finding.

    A field whose Meta says "told by" takes, under names of their own, the tables that have the key
    it gives.
    """
    if not isinstance(raw, dict):
        findings.append(f"{path}: {shown(raw)} is not a table")
        return None
    before = len(findings)
    prefix = f"{path}." if path else ""
    fields = {entry.encode_name: entry for entry in structs.fields(kind)}
    more = next((name for name, entry in fields.items() if _teller(entry.type)), "")
    own = fields.pop(more).type if more else None
    named = {key: part for key, part in raw.items() if key not in fields and _is_own(own, part)}
    findings.extend(
        f"{prefix}{_shown_key(key)}: unknown key; {_hint(key, list(fields), own)}"
        for key in raw
        if key not in fields and key not in named
    )
    values: dict[str, object] = {}
    if more:
        values[more] = _read_named(own, named, prefix, findings)
    for key, entry in fields.items():
        expected = without_none(entry.type)
        is_table = isinstance(expected, type) and issubclass(expected, Struct)
        if key in raw or (entry.required and is_table):
            read = read_table if is_table else _read_value
            values[entry.name] = read(expected, raw.get(key, {}), prefix + key, findings)
        elif entry.required:
            findings.append(f"{prefix}{key}: not given; must be {words(expected)}")
    return kind(**values) if len(findings) == before else None


def _teller(kind: Any) -> str:
    """The key that tells a table under a name of its own; "": the field takes no such tables."""
    return str((_meta(kind).extra or {}).get("told by", ""))


def _is_own(kind: Any, raw: object) -> bool:
    return kind is not None and isinstance(raw, dict) and _teller(kind) in raw


def _read_named(
    kind: Any, raw: dict[str, object], prefix: str, findings: list[str]
) -> Mapping[str, object]:
    """Tables under names of their own, by name."""
    name_kind, table_kind = get_args(get_args(kind)[0])
    for name in raw:
        _read_value(name_kind, name, f"{prefix}{_shown_key(name)}", findings)
    return MappingProxyType(
        {
            name: read_table(table_kind, part, f"{prefix}{_shown_key(name)}", findings)
            for name, part in raw.items()
        }
    )


def _read_value(kind: Any, raw: object, path: str, findings: list[str]) -> object:
    """`raw` as the annotated type `kind`; None with a finding when it does not fit."""
    if get_origin(kind) is dict:
        return _read_entries(get_args(kind), raw, path, findings)
    element = _element(kind)
    if element is not None and isinstance(raw, list):
        before = len(findings)
        for number, item in enumerate(raw):
            _read_value(element, item, f"{path}[{number}]", findings)
        if len(findings) > before:
            return None
    try:
        value: object = msgspec.convert(raw, kind)
        if parse_text := (_meta(kind).extra or {}).get("parse"):
            parse_text(value)
    except ValueError:
        findings.append(f"{path}: {shown(raw)} is not {words(kind)}")
        return None
    return value


def _read_entries(
    kinds: tuple[Any, ...], raw: object, path: str, findings: list[str]
) -> dict[object, object]:
    """A table whose keys are the file's own, all of one kind (whole numbers, which TOML quotes)."""
    if not isinstance(raw, dict):
        findings.append(f"{path}: {shown(raw)} is not a table")
        return {}
    entries = {}
    for key, value in raw.items():
        name = f"{path}.{_shown_key(key)}"
        try:
            read_key = msgspec.convert(key, kinds[0], strict=False)
        except ValueError:
            findings.append(f"{name}: {shown(key)} is not {words(kinds[0])}")
            continue
        entries[read_key] = _read_value(kinds[1], value, name, findings)
    return entries


def without_none(kind: Any) -> Any:
    """The type of a value that is there: TOML has no null, None means left out."""
    choices = get_args(kind)
    return choices[0] if choices[1:] == (type(None),) else kind


def _meta(kind: Any) -> Meta:
    return next((entry for entry in get_args(kind) if isinstance(entry, Meta)), Meta())


def _element(kind: Any) -> Any:
    """The type of a list's elements; None for anything but a list."""
    whole = get_args(kind)[0] if get_origin(kind) is Annotated else None
    return get_args(whole)[0] if get_origin(whole) is tuple else None


def words(kind: Any) -> str:
    """What a value of the annotated type `kind` must be."""
    if kind is bool:
        return "true or false"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(choice.value) for choice in kind)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice) or '""' for choice in get_args(kind))
    return _meta(kind).description or str(kind)


def _hint(key: str, known: list[str], own: Any = None) -> str:
    if close := get_close_matches(key, known, n=1):
        return f'did you mean "{close[0]}"?'
    more = f"; {words(own)}" if own is not None else ""
    return f"allowed here: {', '.join(known)}{more}"


def _shown_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else shown(key)


def shown(value: object) -> str:
    """A value as the file has it, on one line and short."""
    match value:
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > 64:
            return "a number of more than 64 bits"
        case str():
            text = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"
            return f'"{text}"' if text.isprintable() else ascii(text)
        case dict():
            return "a table"
        case list():
            return f"a list of {len(value)}"
        case _:
            return str(value)
