"""Explore the money rules against a hostile terminal: `python tests/model/run.py [--deep]`.

Prints for each set of rules how many states there are and the shortest way to each finding. Ends
with 1 if money can be lost by the rules, or the mended rules can shut the lane, or if looser rules
are not found wrong.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.rules import FOUND, LETTER, LOOSER, MENDED, STEADY, Rules, swapped
from model.search import SHUT, explore


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deep", action="store_true", help="swaps and two attempts at once")
    deep = parser.parse_args().deep
    searches = {
        "by the letter": LETTER,
        "by the letter, terminals are swapped": _swapped(LETTER, deep),
        "mended": MENDED,
    }
    if deep:
        searches["mended, terminals are swapped"] = _swapped(MENDED, deep)
    for steady in STEADY:
        name = f"by the letter, the terminal always answers: {steady}"
        searches[name] = replace(LETTER, attempts=(1, 1), steady=steady)
    wrong = [name for name, rules in searches.items() if not _holds(name, rules)]
    for name, rules in LOOSER.items():
        expected = FOUND[name]
        if expected not in _show(f"looser: {name}", rules, until=expected):
            wrong.append(name)
    print(f"\nNot as expected: {', '.join(wrong) or 'nothing'}")
    return 1 if wrong else 0


def _swapped(rules: Rules, deep: bool) -> Rules:
    return replace(rules, swaps=True) if deep else swapped(rules)


def _holds(name: str, rules: Rules) -> bool:
    found = _show(name, rules)
    return not found - ({SHUT} if not rules.busy_counts_in_all else set())


def _show(name: str, rules: Rules, *, until: str = "") -> set[str]:
    report = explore(rules, until=until)
    longest = f", at most {report.longest} steps to the next payment" if report.longest else ""
    print(f"\n{name}: {report.states} states{'' if report.findings else longest}", flush=True)
    for finding, labels in report.findings.items():
        print(f"  FOUND: {finding}")
        for label in labels:
            print(f"      {label}")
    return set(report.findings)


if __name__ == "__main__":
    sys.exit(main())
