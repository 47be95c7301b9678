"""Print the package's copyright file: laned's licence, and that of every library inside.

The argument is the folder that becomes the package. The libraries' own licence files and notices
are quoted whole; a file that is nothing but a text that Debian keeps is named by its place there.
A library without a licence file ends the build.
"""

import re
import sys
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

OURS: Final = """\
laned stands between till software and a card payment terminal.

Copyright 2026 the laned maintainers
Licence: Apache-2.0, the text of which is /usr/share/common-licenses/Apache-2.0

Below /opt/laned/lib are the libraries that it needs, as their projects publish them:
"""
APACHE: Final = "/usr/share/common-licenses/Apache-2.0"
OUR_LICENCE: Final = Path(__file__).parents[2] / "LICENSE"  # the same text
TERMS_END: Final = "END OF TERMS AND CONDITIONS"  # an appendix follows, which some leave out
QUOTED: Final = re.compile(r"(LICEN[CS]E|COPYING|NOTICE)", re.IGNORECASE)


def names(metadata: Message) -> str:
    """The licence by its name."""
    for field in ("License-Expression", "License"):
        if metadata[field]:
            return str(metadata[field]).splitlines()[0]
    sys.exit(f"{metadata['Name']}: names no licence")


def texts(info: Path) -> list[str]:
    """The licence's texts, in the order of their files' names."""
    files = [path for path in sorted(info.rglob("*")) if QUOTED.match(path.name) and path.is_file()]
    if all(path.name.upper().startswith("NOTICE") for path in files):
        sys.exit(f"{info.name}: no licence file")
    return [pointed(path.read_text().strip()) for path in files]


def pointed(text: str) -> str:
    """A pointer in place of a text that Debian keeps, word for word and nothing else; or `text`.

    A file that only has such a text in it, as one part of its bundled libraries' licences, is not
    that text; nor is one whose appendix names a copyright holder.
    """
    apache = OUR_LICENCE.read_text()
    whole = apache.split()
    terms = apache[: apache.index(TERMS_END)].split()
    if text.split() in (whole, terms, terms + TERMS_END.split()):
        return f"The text of this licence is {APACHE}"
    return text


def main() -> None:
    """Do what the module says."""
    print(OURS)
    infos = {p.name: p for p in Path(sys.argv[1]).glob("opt/laned/lib/*/*.dist-info")}
    for _, info in sorted(infos.items()):
        metadata = HeaderParser().parsestr((info / "METADATA").read_text())
        if metadata["Name"] == "laned":
            continue
        title = f"{metadata['Name']} {metadata['Version']}: {names(metadata)}"
        authors = metadata["Author-email"] or metadata["Author"] or metadata["Maintainer-email"]
        print("-" * 72, title, f"by {authors}", "", *texts(info), "", sep="\n")


if __name__ == "__main__":
    main()
