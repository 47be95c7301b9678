"""What the rigs are made of: Debian's bookworm, and laned's package built from this checkout.

What was downloaded is kept for a week in $XDG_CACHE_HOME/laned-rig (or /var/cache/laned-rig).
"""

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache") / "laned-rig"
FRESH: Final = 7 * 24 * 3600.0  # seconds
RELEASE: Final = "bookworm"
INSIDE: Final = (
    *("systemd", "systemd-sysv", "dbus", "udev", "kmod"),
    *("procps", "python3", "tzdata"),
)
NEWER: Final = "99.0.0"


def run(*command: str | Path, cwd: Path | None = None, quiet: bool = True) -> str:
    """Run a command on this machine; its output. RuntimeError with what it said if it fails."""
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT if quiet else None,
    )  # fmt: skip
    if done.returncode != 0:
        what = " ".join(map(str, command))
        raise RuntimeError(f"{what}: exit status {done.returncode}: {done.stdout.strip()[-600:]}")
    return done.stdout


def install(commands: Sequence[str], packages: Sequence[str]) -> None:
    """Have Debian's `packages` on this machine, unless it has all of the `commands`."""
    if all(shutil.which(command) for command in commands):
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        subprocess.run(
            ["apt-get", *step], check=True, stdout=subprocess.DEVNULL, env=environment
        )  # fmt: skip


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The cached file or folder `name`, made anew by `make` when there is none or it is old."""
    path = CACHE / name
    if path.exists() and time.time() - path.stat().st_mtime < FRESH:
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = CACHE / f".{os.getpid()}-{name}"
    try:
        make(fresh)
        if path.is_dir():
            shutil.rmtree(path)
        fresh.rename(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.unlink(missing_ok=True)
    os.utime(path)
    return path


def root(folder: Path) -> None:
    """Unpack a bare Debian into `folder`, ready to be booted."""
    which = hashlib.sha256(" ".join([RELEASE, *INSIDE]).encode()).hexdigest()[:8]

    def make(path: Path) -> None:
        include = "--include=" + ",".join(INSIDE)
        run("mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", include, RELEASE, path)

    folder.mkdir()
    run("tar", "-xf", cached(f"{RELEASE}-{which}.tar", make), "-C", folder, "--exclude=./dev/*")
    (folder / "etc/machine-id").write_text("")  # a lone newline, and nspawn would not start
    (folder / "etc/hostname").write_text("rig\n")
    (folder / "etc/resolv.conf").unlink(missing_ok=True)
    shutil.copytree(Path(__file__).parent / "inside", folder / "opt/rig")


def package(folder: Path) -> Path:
    """Build laned's package from this checkout into `folder`."""
    run(REPOSITORY / "systemd/deb/build", "amd64", folder)
    (built,) = folder.glob("laned_*_amd64.deb")
    return built


def newer(package: Path, folder: Path) -> Path:
    """The same under a higher version, which laned itself says, too, and with other settings."""
    tree = folder / "newer"
    run("dpkg-deb", "--raw-extract", package, tree)
    for path, found in (
        ("DEBIAN/control", r"(?m)^(Version: ).*$"),
        ("opt/laned/lib/python3/laned/__init__.py", r'(?m)^(__version__ = ").*(?=")'),
    ):
        file = tree / path
        text, count = re.subn(found, rf"\g<1>{NEWER}", file.read_text())
        assert count == 1, f"{path} has {count} versions"
        file.write_text(text)
    with (tree / "etc/laned/laned.toml").open("a") as settings:
        settings.write("# from a newer package\n")
    target = folder / f"laned_{NEWER}_amd64.deb"
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, target)
    return target
