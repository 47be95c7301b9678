"""The Debian packages, built as a user would: `pytest tests/package/debs.py`.

Not among the everyday tests: it takes a minute, Debian's tools (dpkg-deb, lintian), and the way to
a package registry. LANED_DEBS names a folder in which they are to be built and left.
"""

import hashlib
import os
import re
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from laned import __version__

REPOSITORY = Path(__file__).parents[2]
BUILD = REPOSITORY / "systemd" / "deb" / "build"
ELF_MACHINES = {"amd64": 62, "arm64": 183}  # e_machine of x86-64 and AArch64
PYTHONS = ("3.11", "3.13")
ELSEWHERE = {
    "etc/laned/laned.toml": 0o644,
    "usr/bin/laned": 0o755,
    "usr/lib/laned/back-off": 0o755,
    "usr/lib/laned/when-idle": 0o755,
    "usr/lib/systemd/system/laned.service": 0o644,
    "usr/lib/systemd/system/laned.socket": 0o644,
    "usr/lib/systemd/system/laned@.service": 0o644,
    "usr/lib/systemd/system/laned@.socket": 0o644,
    "usr/lib/sysusers.d/laned.conf": 0o644,
    "usr/lib/udev/rules.d/60-laned.rules": 0o644,
    "usr/share/bash-completion/completions/laned": 0o644,
    "usr/share/doc/laned/changelog.gz": 0o644,
    "usr/share/doc/laned/copyright": 0o644,
    "usr/share/fish/vendor_completions.d/laned.fish": 0o644,
    "usr/share/lintian/overrides/laned": 0o644,
    "usr/share/man/man1/laned.1.gz": 0o644,
    "usr/share/man/man5/laned.toml.5.gz": 0o644,
    "usr/share/zsh/vendor-completions/_laned": 0o644,
}
"""All that is not below /opt/laned, with its mode."""


def run(*command: object, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Package:
    """A built package, and what it unpacks to."""

    def __init__(self, architecture: str, folder: Path) -> None:
        self.architecture = architecture
        run(BUILD, architecture, folder)
        self.path = folder / f"laned_{__version__}_{architecture}.deb"
        self.root = folder / "root"
        self.control = folder / "control"
        run("dpkg-deb", "--extract", self.path, self.root)
        run("dpkg-deb", "--control", self.path, self.control)

    def files(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if not path.is_dir()]

    def field(self, name: str) -> str:
        return run("dpkg-deb", "--field", self.path, name).strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    kept = os.environ.get("LANED_DEBS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("built")
    with ThreadPoolExecutor(2) as two:
        made = two.map(lambda name: Package(name, folder / name), ELF_MACHINES)
        return {package.architecture: package for package in made}


@pytest.fixture(params=ELF_MACHINES)
def package(built: dict[str, Package], request: pytest.FixtureRequest) -> Package:
    return built[request.param]


def test_lintian_has_nothing_to_say(package: Package) -> None:
    fail_on = "--fail-on=error,warning"
    said = run("lintian", "--allow-root", "--tag-display-limit=0", fail_on, package.path)
    assert said == ""


def test_the_fields(package: Package) -> None:
    assert package.field("Version") == __version__
    assert package.field("Architecture") == package.architecture
    unpacked = sum(path.stat().st_size for path in package.files()) / 1024
    assert abs(int(package.field("Installed-Size")) - unpacked) < 0.1 * unpacked
    assert (package.control / "conffiles").read_text() == "/etc/laned/laned.toml\n"
    for script in ("postinst", "prerm", "postrm"):
        run("sh", "-n", package.control / script)


def test_everything_is_where_it_belongs(package: Package) -> None:
    found = {str(path.relative_to(package.root)): path for path in package.files()}
    elsewhere = {name: path for name, path in found.items() if not name.startswith("opt/laned/")}
    assert {n: path.stat().st_mode & 0o7777 for n, path in elsewhere.items()} == ELSEWHERE
    owners = {line.split()[1] for line in run("dpkg-deb", "-c", package.path).splitlines()}
    assert owners == {"root/root"}


def test_what_only_readers_of_the_sources_need_is_left_out(package: Package) -> None:
    (lane,) = package.root.glob("opt/laned/**/laned/lane")
    assert (lane / "machine.py").exists()
    assert not list(lane.parent.rglob("*.md"))


def test_the_sums_are_right(package: Package) -> None:
    lines = (package.control / "md5sums").read_text().splitlines()
    assert len(lines) == len(package.files())
    for line in lines:
        digest, name = line.split("  ", 1)
        data = (package.root / name).read_bytes()
        assert hashlib.md5(data, usedforsecurity=False).hexdigest() == digest, name


def test_compiled_files_are_for_this_machine_and_their_python(package: Package) -> None:
    compiled = [path for path in package.files() if path.read_bytes()[:4] == b"\x7fELF"]
    for path in compiled:
        (machine,) = struct.unpack("<H", path.read_bytes()[18:20])
        assert machine == ELF_MACHINES[package.architecture], path
        python = path.relative_to(package.root / "opt/laned/lib").parts[0]
        assert python in {f"python{version}" for version in PYTHONS}, path
        if tag := re.search(r"\.cpython-3(\d+)-", path.name):
            assert python == f"python3.{tag[1]}", path
    names = {path.name.split(".")[0] for path in compiled}
    assert {"_imaging", "_core", "_lgpio"} <= names  # Pillow, msgspec, lgpio
    assert not list(package.root.rglob("*.pyc"))


def test_each_library_is_the_locked_one_and_its_licence_is_told(package: Package) -> None:
    pins = (REPOSITORY / "requirements.lock").read_text().splitlines()
    locked = {_canonical(pin) for pin in pins if "==" in pin}
    told = (package.root / "usr/share/doc/laned/copyright").read_text().splitlines()
    titles = {_canonical(line.split(": ")[0].replace(" ", "==")) for line in told if ": " in line}
    for info in package.root.rglob("*.dist-info"):
        library = _canonical(info.name.removesuffix(".dist-info").replace("-", "=="))
        if not library.startswith("laned=="):
            assert library in locked
            assert library in titles


def _canonical(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{canonicalize_name(name)}=={version}"


def test_lgpio_is_left_to_the_system_only_where_there_is_no_wheel(package: Package) -> None:
    library = package.root / "opt/laned/lib"
    assert [path.parent.name for path in library.glob("*/lgpio.py")] == ["python3.11"]
    assert "python3-lgpio" in package.field("Recommends")


def test_the_same_files_give_the_same_package(built: dict[str, Package], tmp_path: Path) -> None:
    again = Package("amd64", tmp_path)
    assert again.path.read_bytes() == built["amd64"].path.read_bytes()


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="runs the package for amd64")
def test_it_runs_whatever_the_caller_has_about(built: dict[str, Package], tmp_path: Path) -> None:
    """The wrapper takes only the package's libraries: not those of the user, nor of the folder."""
    root = built["amd64"].root
    for module in ("laned", "trio", "argparse", "sitecustomize"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('a stranger')")
    wrapper = tmp_path / "wrapper"
    text = (root / "usr/bin/laned").read_text()
    wrapper.write_text(text.replace('"/opt/', f'"{root}/opt/'))
    wrapper.chmod(0o755)
    stranger = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nowhere"}
    assert run(wrapper, "--version", **stranger) == f"laned {__version__}\n"
    assert "exactly once" in run(wrapper, "demo", "--scenario", "happy", "--speed", 50, **stranger)
