"""The drawing in `laned/lane/machine.py`, made from LEADS_TO: python tests/lane/draw_phases.py."""

import re
from pathlib import Path

from laned.lane import machine
from laned.lane.machine import LEADS_TO

WIDTH = 100
DRAWING = re.compile(r"(?<=\)::\n\n).*?(?=\n\n)", re.DOTALL)


def drawing() -> str:
    """A line for each phase, and the phases that it can lead to."""
    lines = []
    for phase, following in LEADS_TO.items():
        names = [each.name for each in LEADS_TO if each in following] or ["(the end)"]
        line = f"    {phase.name:15} ->"
        for name in names:
            if len(line) + len(name) + 2 > WIDTH:
                lines.append(line)
                line = " " * 22
            line += f" {name}"
        lines.append(line)
    return "\n".join(lines)


def drawn(text: str) -> str:
    """The file's text with the drawing in its place."""
    return DRAWING.sub(lambda _: drawing(), text, count=1)


if __name__ == "__main__":
    path = Path(machine.__file__)
    path.write_text(drawn(path.read_text()))
