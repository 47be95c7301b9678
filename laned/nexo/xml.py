"""XML from the network into elements, within limits.

No DTD, hence no entity of anyone's making: expat knows only the five of XML itself. Prefixes are
dropped and namespaces not looked at, since the schema has none: elements carry local names.
"""

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_ELEMENTS = 4000
MAX_ATTRIBUTES = 64  # of one element
MAX_SHOWN = 60  # characters of a refused value that an error repeats

# What expat decodes by itself. Any other name would have Python look for a codec of that name.
ENCODINGS = frozenset(
    {"UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "ISO-8859-1", "US-ASCII"},
)


class NexoError(ValueError):
    """A message that cannot be read or must not be written.

    The text names the element or attribute, what was found and what is expected.
    """


def parse(data: bytes) -> Element:
    """Parse one XML document of at most MAX_BYTES; tags of the result are local names.

    Raises:
        NexoError: not well-formed, a DTD, an encoding not in ENCODINGS, or beyond a limit.

    """
    if len(data) > MAX_BYTES:
        raise NexoError(f"message: found {len(data)} bytes, expected at most {MAX_BYTES}")
    try:
        # In one call: an unfinished token that comes in pieces is scanned again with each of them.
        target = _Target()
        target.parser.Parse(data, True)
        return target.builder.close()
    except NexoError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise NexoError(f"message: found no well-formed XML: {error}") from error


class _Target:
    """Feeds a TreeBuilder from expat, and counts."""

    def __init__(self) -> None:
        self.builder = TreeBuilder()
        self.depth = 0
        self.elements = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self.builder.data

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.upper() not in ENCODINGS:
            expected = ", ".join(sorted(ENCODINGS))
            raise NexoError(f"XML encoding: found {shown(encoding)}, expected one of {expected}")

    def _doctype(self, *_: object) -> None:
        raise NexoError("XML: found a document type declaration (DTD), expected none")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _local(name)
        self.depth += 1
        self.elements += 1
        if self.depth > MAX_DEPTH:
            raise NexoError(f"{shown(tag)}: found too deep, expected at most {MAX_DEPTH} levels")
        if self.elements > MAX_ELEMENTS:
            raise NexoError(f"message: found more than {MAX_ELEMENTS} elements, expected no more")
        if len(attributes) > MAX_ATTRIBUTES:
            found = f"found {len(attributes)} attributes"
            raise NexoError(f"{shown(tag)}: {found}, expected at most {MAX_ATTRIBUTES}")
        self.builder.start(tag, attributes)

    def _end(self, name: str) -> None:
        self.depth -= 1
        self.builder.end(_local(name))


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def shown(value: str) -> str:
    """`value` quoted for an error text, shortened to MAX_SHOWN characters."""
    return repr(str(value) if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "…")
