"""The planted mistakes fit the code as it is; whether they are caught, `run.py` tells."""

import ast
from pathlib import Path

import pytest

from mutants import MUTANTS
from mutants.mutant import Mutant, StaleMutantError

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_can_be_planted(mutant: Mutant) -> None:
    healthy = (REPOSITORY / mutant.file).read_text(encoding="utf-8")
    text = mutant.mutated(REPOSITORY)
    assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(healthy))
    assert mutant.tests
    for test in mutant.tests:
        path, _, function = test.partition("::")
        assert (REPOSITORY / path).is_file(), test
        text = (REPOSITORY / path).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in text, test


def test_their_names_tell_them_apart() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_a_text_that_is_not_there_once_is_refused(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\nb = 1\n")
    for old in ("c = 1", "= 1"):
        mutant = Mutant(name="m", file="code.py", old=old, new="", tests=("t",))
        with pytest.raises(StaleMutantError, match="expected once"):
            mutant.mutated(tmp_path)
