"""Lives through many seeds: python tests/simulation/run.py --seeds 2000 --jobs 2 [--first N].

Prints what was covered and which seeds failed. `--trace N` tells one seed line by line.
"""

import argparse
import logging
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from covered import Covered
from seeds import Verdict, run

CHUNK = 20
AT_MOST = 30
"""Real seconds for one seed, a hundred times what it takes."""


class TooLongError(Exception):
    """A seed runs in circles without time passing."""


def _too_long(_: int, frame: object) -> None:
    raise TooLongError(f"not done after {AT_MOST} s, at {frame}")


def judged(seed: int, *, traced: bool = False) -> Verdict:
    """A seed's verdict; what laned itself raises is one, too."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(AT_MOST)
    try:
        return run(seed, traced=traced)
    except Exception as error:
        logging.getLogger(__name__).exception("seed %d", seed)
        return Verdict(seed, [f"it crashed: {error!r:.500}"], Covered(), [])
    finally:
        signal.alarm(0)


def chunk(seeds: range) -> tuple[Covered, list[tuple[int, list[str]]]]:
    """Some seeds one after the other: what they covered, and those that failed."""
    logging.disable(logging.CRITICAL)
    covered = Covered()
    failed: list[tuple[int, list[str]]] = []
    for seed in seeds:
        verdict = judged(seed)
        covered.add(verdict.covered)
        if verdict.wrong:
            failed.append((seed, verdict.wrong))
    return covered, failed


def main() -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--trace", type=int, metavar="SEED")
    args = parser.parse_args()
    if args.trace is not None:
        verdict = judged(args.trace, traced=True)
        print("\n".join([*verdict.trace, *verdict.wrong]))
        return 1 if verdict.wrong else 0
    began = time.monotonic()
    covered = Covered()
    failed: list[tuple[int, list[str]]] = []
    last = args.first + args.seeds
    chunks = [range(n, min(n + CHUNK, last)) for n in range(args.first, last, CHUNK)]
    with ProcessPoolExecutor(args.jobs) as pool:
        for part, wrong in pool.map(chunk, chunks):
            covered.add(part)
            failed += wrong
    took = time.monotonic() - began
    print(covered.table())
    missing = covered.missing()
    for line in missing:
        print(f"below the floor: {line}")
    for seed, faults in failed:
        print(f"seed {seed} failed (again: run.py --trace {seed}): {'; '.join(faults)[:600]}")
    print(f"{args.seeds} seeds in {took:.0f} s, {len(failed)} failed")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
