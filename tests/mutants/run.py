"""Plant each mistake and see that tests fail: `python tests/mutants/run.py [NAME…]`.

Works on copies of the repository. Ends with 1 if a mistake survives, or cannot be judged.
"""

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutants import MUTANTS
from mutants.mutant import Mutant, StaleMutantError

AT_ONCE = 2
LONGEST = 60.0
"""Seconds for the tests of one mutant."""
REPOSITORY = Path(__file__).parents[2]
COPIED = ("laned", "tests", "pyproject.toml")
PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line")
PASSED, FAILED = 0, 1
"""pytest's exit codes; any other one says that the tests did not run."""


class Field:
    """A copy of the repository in which mistakes are planted, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():  # with the byte code, which no run in here adds to
                shutil.copytree(source, folder / name)
            else:
                shutil.copy2(source, folder / name)

    def test(self, *tests: str) -> tuple[int, str]:
        """Run tests here: pytest's exit code (-1: not in time), and what it said."""
        environment = os.environ | {
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        try:
            done = subprocess.run(
                [sys.executable, *PYTEST, *tests],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LONGEST,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return -1, f"not done within {LONGEST:g} s"
        return done.returncode, done.stdout + done.stderr

    def plant(self, mutant: Mutant) -> tuple[str, str]:
        """The verdict on one mistake, and what more there is to say."""
        path = self.folder / mutant.file
        healthy = path.with_name(path.name + ".healthy")
        try:
            text = mutant.mutated(self.folder)
        except StaleMutantError as error:
            return "STALE", str(error)
        shutil.copy2(path, healthy)
        try:
            path.write_text(text, encoding="utf-8")
            code, said = self.test(*mutant.tests)
        finally:
            healthy.replace(path)  # with its old time: the byte code fits again
        if code == FAILED:
            failed = [line for line in said.splitlines() if line.startswith("FAILED")]
            return "caught", failed[0][len("FAILED ") :].split(" - ")[0] if failed else ""
        if code == PASSED:
            return "NOT CAUGHT", " ".join(mutant.tests)
        return "NO VERDICT", said[-2000:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which mistakes; all by default")
    names = parser.parse_args().names
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"no such mistake: {' '.join(sorted(unknown))}")
    chosen = [mutant for mutant in MUTANTS if mutant.name in names or not names]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="laned-") as folder:
        return judge(chosen, Path(folder), began)


def judge(chosen: list[Mutant], folder: Path, began: float) -> int:
    """Try all mistakes, two at a time, and print a line for each."""
    fields: queue.SimpleQueue[Field] = queue.SimpleQueue()
    for number in range(AT_ONCE):
        (folder / str(number)).mkdir()
        fields.put(Field(folder / str(number)))
    printing = threading.Lock()
    width = max(len(mutant.name) for mutant in chosen)

    def with_field(mutant: Mutant) -> str:
        field = fields.get()
        try:
            verdict, more = field.plant(mutant)
        finally:
            fields.put(field)
        with printing:
            print(f"{mutant.name:{width}}  {verdict:10}  {more}", flush=True)
        return verdict

    def healthy() -> tuple[int, str]:
        field = fields.get()
        try:
            return field.test(*sorted({test for mutant in chosen for test in mutant.tests}))
        finally:
            fields.put(field)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        sound = pool.submit(healthy)
        verdicts = list(pool.map(with_field, chosen))
    code, said = sound.result()
    caught = verdicts.count("caught")
    seconds = time.monotonic() - began
    print(f"{caught} of {len(chosen)} mistakes caught in {seconds:.0f} s")
    if code != PASSED:
        print(f"the same tests fail without any mistake:\n{said[-3000:]}", file=sys.stderr)
    return 0 if caught == len(chosen) and code == PASSED else 1


if __name__ == "__main__":
    sys.exit(main())
