"""Lives through many seeds: python tests/simulation/run.py --seeds 2000 --jobs 2 [--first N].

Prints what was covered, and fails below the floor or when a book is wrong. `--sweep` adds the
crash sweep. `--trace SEED` tells one seed line by line. `--record FILE` writes a number for each
seed that only a change of the lane's behaviour changes (recorder.py).
"""

import argparse
import logging
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from covered import Covered
from seeds import Verdict, run
from sweep import SCENARIO_NAMES, sweep

CHUNK = 20

Failed = list[str]


def judged(seed: int, *, traced: bool = False, recorded: bool = False) -> Verdict:
    """A seed's verdict; what laned itself raises is one, too."""
    try:
        return run(seed, traced=traced, recorded=recorded)
    except Exception as error:
        logging.getLogger(__name__).exception("seed %d", seed)
        return Verdict(seed, [f"it crashed: {error!r:.500}"], Covered(), [])


def chunk(seeds: range) -> tuple[Covered, Failed]:
    """Some seeds one after the other: what they covered, and a line for each that failed."""
    logging.disable(logging.CRITICAL)
    covered, failed = Covered(), Failed()
    for seed in seeds:
        verdict = judged(seed)
        covered.add(verdict.covered)
        if verdict.wrong:
            what = "; ".join(verdict.wrong)[:600]
            failed.append(f"seed {seed} failed (again: run.py --trace {seed}): {what}")
    return covered, failed


def recorded(seed: int) -> str:
    """A seed's line of a record."""
    logging.disable(logging.CRITICAL)
    verdict = judged(seed, recorded=True)
    return f"{seed} {verdict.record} {len(verdict.wrong)}"


def swept(scenario: str) -> tuple[int, Failed]:
    """A whole sweep: how many crashes, and a line for each after which the books are wrong."""
    logging.disable(logging.CRITICAL)
    found = list(sweep(scenario))
    failed = [
        f"{scenario}: crash {one.number} {one.place}: {'; '.join(one.wrong)[:600]}"
        for one in found
        if one.wrong
    ]
    return len(found), failed


def main() -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sweep", action="store_true", help="the crash sweep as well")
    parser.add_argument("--trace", type=int, metavar="SEED", help="tell one seed line by line")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the seeds' numbers")
    args = parser.parse_args()
    if args.trace is not None:
        verdict = judged(args.trace, traced=True)
        print("\n".join([*verdict.trace, *verdict.wrong]))
        return 1 if verdict.wrong else 0
    began = time.monotonic()
    failed: Failed = []
    if args.record is not None:
        with ProcessPoolExecutor(args.jobs) as pool:
            seeds = range(args.first, args.first + args.seeds)
            lines = pool.map(recorded, seeds, chunksize=CHUNK)
            args.record.write_text("".join(f"{line}\n" for line in lines))
        return 0
    with ProcessPoolExecutor(args.jobs) as pool:
        if args.sweep:
            crashes, wrong = _add_up(pool.map(swept, SCENARIO_NAMES))
            failed += wrong
            print(f"crash sweep: {crashes} crashes in {len(SCENARIO_NAMES)} scenarios\n")
        if args.seeds:
            failed += _lived(pool, range(args.first, args.first + args.seeds))
    print("\n".join(failed))
    print(f"{args.seeds} seeds in {time.monotonic() - began:.0f} s, {len(failed)} findings")
    return 1 if failed else 0


def _add_up(parts: Iterable[tuple[int, Failed]]) -> tuple[int, Failed]:
    number, failed = 0, Failed()
    for count, wrong in parts:
        number += count
        failed += wrong
    return number, failed


def _lived(pool: ProcessPoolExecutor, seeds: range) -> Failed:
    """Live through the seeds, and print the table; what failed or is missing in it."""
    covered, failed = Covered(), Failed()
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    for part, wrong in pool.map(chunk, chunks):
        covered.add(part)
        failed += wrong
    print(covered.table())
    return failed + [f"below the floor: {line}" for line in covered.missing()]


if __name__ == "__main__":
    sys.exit(main())
