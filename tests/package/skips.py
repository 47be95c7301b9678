"""What a run of the tests has skipped, and whether all of it may be: `skips.py JUNIT.xml REASON…`.

Each reason that tests gave is printed with how often they did. Exit status 1 if one of them is not
among those that the command names.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree


def skipped(report: Path) -> Counter[str]:
    """The reasons in pytest's JUnit report, and how many tests gave each; no expected failures."""
    found = ElementTree.parse(report).iter("skipped")
    return Counter(
        str(each.get("message") if each.get("message") != "collection skipped" else each.text)
        for each in found
        if each.get("type") != "pytest.xfail"
    )


def main(argv: Sequence[str]) -> int:
    """Print the reasons, those that are not allowed last."""
    report, *allowed = argv
    reasons = skipped(Path(report))
    others = reasons.keys() - set(allowed)
    for reason in sorted(reasons, key=lambda each: (each in others, each)):
        mark = "NOT ALLOWED" if reason in others else "skipped"
        print(f"{mark}: {reasons[reason]} test{'s'[: reasons[reason] > 1]}: {reason}")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
