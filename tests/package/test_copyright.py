"""The package's copyright file: nothing of what the libraries' authors wrote is left out."""

import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "systemd" / "deb" / "copyright.py"
APACHE = (REPOSITORY / "LICENSE").read_text()
POINTER = "The text of this licence is /usr/share/common-licenses/Apache-2.0"
METADATA = "Metadata-Version: 2.1\nName: lib\nVersion: 1\nLicense: Some\nAuthor: Somebody\n"


def written(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    """What is printed of a package with one library, which has these files."""
    info = folder / "opt/laned/lib/python3/lib-1.dist-info"
    for name, text in (files | {"METADATA": METADATA}).items():
        path = info / name.replace("__", "/").replace("_txt", ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "text",
    [
        APACHE,
        " ".join(APACHE.split()),
        APACHE[: APACHE.index("END OF TERMS")],
        APACHE[: APACHE.index("   APPENDIX")],
    ],
)
def test_a_text_that_debian_keeps_is_pointed_to(tmp_path: Path, text: str) -> None:
    printed = written(tmp_path, licenses__LICENSE=text).stdout
    assert POINTER in printed
    assert "TERMS AND CONDITIONS FOR USE" not in printed


@pytest.mark.parametrize(
    "text",
    [
        f"MIT, Copyright Somebody\n\n{APACHE}",
        f"{APACHE}\n----\nFreeType: Copyright Others",
        APACHE.replace("[yyyy]", "2019").replace("[name of copyright owner]", "Somebody"),
        APACHE.replace("perpetual", "short"),
    ],
)
def test_a_part_does_not_stand_for_the_whole(tmp_path: Path, text: str) -> None:
    printed = written(tmp_path, LICENSE=text).stdout
    assert text.strip() in printed
    assert POINTER not in printed


def test_notices_are_quoted(tmp_path: Path) -> None:
    printed = written(tmp_path, LICENSE=APACHE, licenses__NOTICE_txt="made by Somebody").stdout
    assert POINTER in printed
    assert "made by Somebody" in printed


def test_a_library_without_a_licence_ends_the_build(tmp_path: Path) -> None:
    assert "no licence file" in written(tmp_path, NOTICE="made by Somebody").stderr
    assert written(tmp_path).returncode == 1


def test_pillows_bundled_libraries_are_told_of(tmp_path: Path) -> None:
    (pillow,) = [one for one in distributions() if one.metadata["Name"].lower() == "pillow"]
    files = [file for file in pillow.files or () if file.name == "LICENSE"]
    text = Path(str(pillow.locate_file(files[0]))).read_text()
    assert text.strip() in written(tmp_path, LICENSE=text).stdout
