"""What README tells to do in a shell."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
CMDLINE = "console=tty1 root=PARTUUID=1-02 rootfstype=ext4 rootwait"


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def containing(text: str) -> str:
    (found,) = [block for block in blocks() if text in block]
    return found


def edited(line: str, expressions: list[str]) -> str:
    for expression in expressions:
        line = subprocess.run(
            ["sed", expression], input=line, capture_output=True, text=True, check=True
        ).stdout
    return line


def test_a_read_only_root_can_be_undone_by_raspi_config() -> None:
    """It puts "overlayroot=tmpfs" and a blank before the line, and takes only the same away."""
    (on, off) = re.findall(r"sudo sed -i '(.*?)' /boot", README)
    switched_on = edited(f"overlayroot=tmpfs {CMDLINE}", [on])
    assert "overlayroot=tmpfs:recurse=0 " in switched_on
    assert edited(switched_on, [off, r"s/overlayroot=tmpfs //"]) == CMDLINE


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh"])
def test_the_curl_examples_split_no_words(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    curl = tmp_path / "curl"
    curl.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:3])\n")
    curl.chmod(0o755)
    done = subprocess.run(
        [shell, "-c", containing("till() {")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 9
    assert set(lines) == {"['--unix-socket', '/run/laned/till.sock']"}


@pytest.mark.parametrize("answers", [True, False])
def test_the_metrics_file_is_kept_while_no_daemon_answers(answers: bool, tmp_path: Path) -> None:
    kept = tmp_path / "laned.prom"
    kept.write_text("old")
    recipe = containing("laned.prom").replace("/var/lib/node_exporter/laned.prom", str(kept))
    recipe = "\n".join(line for line in recipe.splitlines() if not line.startswith("journalctl"))
    curl = tmp_path / "curl"
    curl.write_text(
        '#!/bin/sh\n[ "$1$2" = -sf-o ] && printf new > "$3"; exit ' + str(int(not answers))
    )
    curl.chmod(0o755)
    subprocess.run(["sh", "-c", recipe], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
    assert kept.read_text() == ("new" if answers else "old")


def test_the_desk_shows_its_configuration_before_what_reads_it() -> None:
    assert README.index('socket = "/tmp/lane/till.sock"') < README.index("--config desk.toml")
    assert README.index(". .venv/bin/activate") < README.index("laned simulate  ")
