"""Code and tests cite money rules by number, the protocol by section: each is there, and used."""

import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
MONEY_RULES = REPOSITORY / "laned" / "lane" / "MONEY_RULES.md"
PROTOCOL = REPOSITORY / "laned" / "nexo" / "PROTOCOL.md"
CODE = [path for path in (REPOSITORY / "laned").rglob("*") if path.suffix in (".py", ".md")]
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))

RULES = re.compile(r"\brules? (\d+(?:(?:, | and | to )\d+)*)", re.IGNORECASE)
TITLE = r'(?:"[^"]+"|[A-Z]\w+)'
SECTIONS = re.compile(
    rf"protocol(?: description)?, (?:sections? )?({TITLE}(?:(?:, | and ){TITLE})*)"
)
SOURCE = re.compile(r"Source: (?:contract, [^;]*; )?protocol(?! description\.)")


def prose(path: Path) -> str:
    """A file as running text: without line ends, and the marks of comments at them."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", path.read_text(encoding="utf-8"))


def cited_rules(text: str) -> Iterator[int]:
    for found in RULES.finditer(text):
        before = 0
        for joint, digits in re.findall(r"(, | and | to |)(\d+)", found[1]):
            number = int(digits)
            yield from range(before + 1, number) if joint == " to " else ()
            yield (before := number)


def cited_sections(text: str) -> Iterator[str]:
    for found in SECTIONS.finditer(text):
        yield from (title.strip('"') for title in re.findall(TITLE, found[1]))


def rules() -> dict[int, str]:
    text = MONEY_RULES.read_text(encoding="utf-8")
    parts = re.split(r"^## (?:(\d+)\. .*|.*)$", text, flags=re.MULTILINE)
    return {int(n): body.strip() for n, body in zip(parts[1::2], parts[2::2], strict=True) if n}


def not_there_yet() -> set[int]:
    """Rules of which MONEY_RULES.md says that the code has nothing."""
    text = MONEY_RULES.read_text(encoding="utf-8").partition("## Not there yet")[2]
    return {int(number) for number in re.findall(r"^- Rule (\d+):", text, flags=re.MULTILINE)}


def test_citations_are_understood() -> None:
    assert list(cited_rules("money rules 3 to 5; Rule 8; (rules 2, 6 and 13). overruled 7")) == [
        *(3, 4, 5),
        *(8, 2, 6, 13),
    ]
    text = 'protocol, sections Session and "What it posts"; protocol, TransmitRequest. protocol, as'
    assert list(cited_sections(text)) == ["Session", "What it posts", "TransmitRequest"]


def test_the_rules_are_1_to_14_and_none_is_empty() -> None:
    assert list(rules()) == list(range(1, 15))
    assert all(len(body) > 150 for body in rules().values())


def mistakes(text: str) -> Iterator[str]:
    """What a text cites that is not there, or in a way that nobody could look up."""
    sections = set(re.findall(r"^## (.+)$", PROTOCOL.read_text(encoding="utf-8"), re.MULTILINE))
    yield from (f"rule {number}" for number in set(cited_rules(text)) - rules().keys())
    yield from (f"section {title!r}" for title in set(cited_sections(text)) - sections)
    for source in SOURCE.finditer(text):
        if not SECTIONS.match(text, source.end() - len("protocol")):
            yield text[source.start() :][:80]


def test_a_wrong_citation_is_seen() -> None:
    text = "Money rule 15. Source: protocol, section Weather. Source: protocol, somewhere."
    assert list(mistakes(text)) == ["rule 15", "section 'Weather'", "Source: protocol, somewhere."]


def test_what_is_cited_is_there() -> None:
    found = {
        str(path.relative_to(REPOSITORY)): wrong
        for path in (*CODE, *TESTS)
        if path not in (Path(__file__), PROTOCOL) and (wrong := list(mistakes(prose(path))))
    }
    assert found == {}


def test_every_rule_is_held_by_a_test_that_names_it() -> None:
    named = {
        number
        for path in TESTS
        if path.name.startswith("test_") and path != Path(__file__)
        for number in cited_rules(prose(path))
    }
    assert named == rules().keys() - not_there_yet()


def test_the_code_cites_every_rule_that_it_obeys() -> None:
    named = {n for path in CODE if path.suffix == ".py" for n in cited_rules(prose(path))}
    assert named == rules().keys() - not_there_yet()
