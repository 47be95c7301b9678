"""Fetch the wheels that the package carries, for another architecture and Python than this one's.

    wheels.py ARCHITECTURE BUILT LIBRARY

`BUILT` holds the wheels that were built here: laned's own, and those of projects that publish none.
The others come at the versions of requirements.lock. Everything is unpacked below `LIBRARY`: what
any Python can read into `python3`, what was compiled for one into `python3.11` and so on.

pip cannot be asked to resolve for another machine: it judges the conditions of requirements
("python_version < '3.13'") by the Python that it runs on. So the requirements are followed here.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Any, Final

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

PYTHONS: Final = ("3.11", "3.13")  # of Debian 12 and 13
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC: Final = range(36, 16, -1)  # minor versions of glibc 2: Debian 12 has 36
NOT_USED: Final = {"setuptools"}  # colorzero names it, and imports nothing of it
NO_LGPIO: Final = "3.13"  # there is no wheel; Raspberry Pi's own archive has the package
LOCK: Final = Path(__file__).parents[2] / "requirements.lock"


def closure(architecture: str, python: str, wheels: Path) -> list[Path]:
    """The wheels of laned and all that it needs on `python`, fetched into `wheels`."""
    environment: dict[str, Any] = {
        **default_environment(),
        "platform_machine": MACHINES[architecture],
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    wanted = {("laned", "")} if python == NO_LGPIO else {("laned", ""), ("laned", "gpio")}
    seen = set[tuple[str, str]]()
    while wanted:
        have = _fetch({name for name, _ in wanted}, architecture, python, wheels)
        seen |= wanted
        needs = set[tuple[str, str]]()
        for name, extra in wanted:
            for line in _metadata(have[name]).get_all("Requires-Dist") or ():
                need = Requirement(line)
                if need.marker is None or need.marker.evaluate({**environment, "extra": extra}):
                    needs |= {(canonicalize_name(need.name), e) for e in ("", *need.extras)}
        wanted = {(name, extra) for name, extra in needs - seen if name not in NOT_USED}
    return [have[name] for name in sorted({name for name, _ in seen})]


def _fetch(names: set[str], architecture: str, python: str, wheels: Path) -> dict[str, Path]:
    """What lies in `wheels`, by name, after those of `names` that did not are fetched."""
    if missing := names - _by_name(wheels).keys():
        machine = MACHINES[architecture]
        platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version", python, "--dest", str(wheels)]
        command += [f"--platform={name}" for name in (*platforms, f"manylinux2014_{machine}")]
        subprocess.run([*command, "-c", str(LOCK), *sorted(missing)], check=True)  # noqa: S603
    return _by_name(wheels)


def _by_name(wheels: Path) -> dict[str, Path]:
    return {canonicalize_name(parse_wheel_filename(w.name)[0]): w for w in wheels.glob("*.whl")}


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (p for p in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", p))
        return HeaderParser().parsestr(archive.read(path).decode())


def unpack(wheel: Path, library: Path, python: str) -> None:
    """Unpack `wheel` where only the Pythons that can read it look."""
    tags = parse_wheel_filename(wheel.name)[3]
    pure = any(tag.platform == "any" for tag in tags)
    with zipfile.ZipFile(wheel) as archive:
        strange = [name for name in archive.namelist() if ".data/" in PurePosixPath(name).parts[0]]
        if strange:
            sys.exit(f"{wheel.name}: has files for elsewhere, as {strange[0]}")
        archive.extractall(library / ("python3" if pure else f"python{python}"))


def main() -> None:
    """Do what the module says."""
    architecture, built, library = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    for python in PYTHONS:
        with tempfile.TemporaryDirectory() as folder:
            wheels = Path(folder)
            for wheel in built.glob("*.whl"):
                if not wheel.name.endswith("-none-any.whl"):
                    sys.exit(f"{wheel.name}: built here, so it must suit every machine")
                (wheels / wheel.name).write_bytes(wheel.read_bytes())
            for wheel in closure(architecture, python, wheels):
                unpack(wheel, library, python)


if __name__ == "__main__":
    main()
