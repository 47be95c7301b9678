"""Print the package's copyright file: laned's licence, and that of every library inside.

The argument is the folder that becomes the package. The libraries' own licence files are quoted
whole. One that has none ends the build.
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
COMMON: Final = {  # what is found in a long licence: where Debian keeps its text
    r"Apache License\s+Version 2\.0, January 2004\s+http": "Apache-2.0",
}


def names(metadata: Message) -> str:
    """The licence by its name."""
    for field in ("License-Expression", "License"):
        if metadata[field]:
            return str(metadata[field]).splitlines()[0]
    sys.exit(f"{metadata['Name']}: names no licence")


def texts(info: Path) -> list[str]:
    """The licence's texts, in the order of their files' names."""
    found = []
    for path in sorted(p for p in info.rglob("*") if re.match(r"(LICEN[CS]E|COPYING)", p.name)):
        if path.is_dir():
            continue
        text = path.read_text().strip()
        for pattern, common in COMMON.items():
            if re.search(pattern, text):
                text = f"The text of this licence is /usr/share/common-licenses/{common}"
        found.append(text)
    if not found:
        sys.exit(f"{info.name}: no licence file")
    return found


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
