"""No test is skipped unseen: .ci/run lists the reasons that may be."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import skips

REPOSITORY = Path(__file__).parents[2]
CI = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
TESTS = """
import pytest

@pytest.mark.skip(reason="no moon")
def test_moon(): ...

@pytest.mark.parametrize("day", [1, 2])
def test_sun(day):
    pytest.skip("no sun")

@pytest.mark.xfail(reason="known", strict=True)
def test_known(): raise ValueError

def test_fine(): ...
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pytest reports of a few tests that are skipped, fail as expected, and pass."""
    folder = tmp_path_factory.mktemp("tests")
    (folder / "test_weather.py").write_text(TESTS)
    (folder / "test_snow.py").write_text("import pytest\npytest.importorskip('snow')\n")
    command = [sys.executable, "-m", "pytest", "--junitxml=report.xml", "-p", "no:cacheprovider"]
    environ = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environ)
    return folder / "report.xml"


def test_only_the_reasons_that_are_named_may_be(
    report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (snow,) = (reason for reason in skips.skipped(report) if "snow" in reason)
    assert skips.main([str(report), "no sun", "no moon", snow, "never needed"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == ["skipped: 1 test: no moon", "skipped: 2 tests: no sun"]
    assert skips.main([str(report), "no sun", snow]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "NOT ALLOWED: 1 test: no moon"
    assert skips.main([str(report), "no sun", "no moon"]) == 1
    assert skips.main([str(report)]) == 1


def test_the_reasons_that_are_allowed_are_given_somewhere() -> None:
    (listed,) = re.findall(r"^allowed_skips=\(\n(.*?)^\)$", CI, flags=re.MULTILINE | re.DOTALL)
    reasons = re.findall(r'"(.+?)"', listed + "".join(re.findall(r"allowed_skips\+=.*", CI)))
    tests = "".join(path.read_text(encoding="utf-8") for path in REPOSITORY.glob("tests/**/*.py"))
    assert reasons
    for reason in reasons:
        assert f'"{reason}"' in tests, reason
