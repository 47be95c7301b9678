"""Kill a daemon many times: `python tests/kill/run.py --kills 200 [--seed 1]`.

Ends with 1 if the books differ. The seed fixes the plan; the moments also depend on the machine.
"""

import argparse
import sys
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from kill import killing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="a line for each kill")
    options = parser.parse_args()
    say = print if options.verbose else lambda _: None
    report = trio.run(killing.run, options.kills, options.seed, say)
    print(report)
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
