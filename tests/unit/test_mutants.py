"""`make mutants` itself: what it calls a mutant, what it compares, and that properties are not left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.__main__ import modules_of
from tests.mutants.mutant import Fate, Mutant, mutants_of
from tests.mutants.staging import with_plain_properties
from tests.mutants.survivors import Kind, compare, read_explanations, to_explain

HERE = Path(__file__).parents[1] / "mutants"
ROUNDED = Mutant("shared/x.py:Timer.sort_key", "return ceil(at)", "return at")
ENDLESS = Mutant("shared/x.py:tries", "break", "continue")


def explained(*mutants: Mutant, kind: Kind = Kind.EQUIVALENT) -> str:
    """A file that explains these."""
    parts = [{**vars(each), "kind": kind.value, "why": "because"} for each in mutants]
    written = ["\n".join(f"{name} = {json.dumps(text)}" for name, text in part.items()) for part in parts]
    return "\n".join(f"[[survivor]]\n{each}" for each in written) or "survivor = []"


def test_a_survivor_needs_an_explanation_and_an_explanation_a_survivor() -> None:
    """One each: of two mutants that read alike, both are to be explained."""
    found = [(ROUNDED, Fate.SURVIVED), (ROUNDED, Fate.SURVIVED), (ENDLESS, Fate.KILLED)]
    none = compare(found, read_explanations(explained()))
    one = compare(found, read_explanations(explained(ROUNDED)))
    both = compare(found, read_explanations(explained(ROUNDED, ROUNDED)))
    three = compare(found, read_explanations(explained(ROUNDED, ROUNDED, ENDLESS)))
    assert [len(each.unexplained) for each in (none, one, both, three)] == [2, 1, 0, 0]
    assert [each.stale for each in (none, one, both, three)] == [[], [], [], [ENDLESS]]
    assert [each.is_clean for each in (none, one, both, three)] == [False, False, True, False]
    assert both.explained == {Fate.SURVIVED: 2}


@pytest.mark.parametrize(("fate", "kind"), [(Fate.SURVIVED, Kind.ENDLESS), (Fate.ENDLESS, Kind.EQUIVALENT)])
def test_what_never_ends_is_explained_apart(fate: Fate, kind: Kind) -> None:
    """Time that ran out is no proof that a test noticed, until somebody says that it is endless."""
    compared = compare([(ENDLESS, fate)], read_explanations(explained(ENDLESS, kind=kind)))
    assert (compared.unexplained, compared.stale) == ([(ENDLESS, fate)], [ENDLESS])
    assert compare(
        [(ENDLESS, Fate.ENDLESS)], read_explanations(explained(ENDLESS, kind=Kind.ENDLESS))
    ).is_clean


@pytest.mark.parametrize(
    "text",
    [
        explained(ROUNDED).replace('"because"', '" "'),
        explained(ROUNDED).replace('"equivalent"', '"fine"'),
    ],
)
def test_an_explanation_says_why(text: str) -> None:
    """In words, and of a kind that there is."""
    with pytest.raises(ValueError, match="explained|fine"):
        read_explanations(text)


def test_what_is_to_be_explained_can_be_copied() -> None:
    """It reads back as the same mutant once kind and reason are filled in."""
    (text,) = to_explain([(ROUNDED, Fate.SURVIVED)])
    filled = text.replace('kind = ""', 'kind = "equivalent"').replace('why = ""', 'why = "because"')
    assert [each.mutant for each in read_explanations(filled)] == [ROUNDED]


SOURCE = '''
class Timer:
    @property
    def sort_key(self):
        """The key."""
        return self.at

    @cached_property
    def text(self): return 1

    @classmethod
    def of(cls): ...

    def moved(self): ...
'''
PLAIN = '''
class Timer:
    def sort_key(self):
        """The key."""
        return self.at
    sort_key = property(sort_key)

    def text(self): return 1
    text = property(text)

    @classmethod
    def of(cls): ...

    def moved(self): ...
'''


def test_properties_are_mutated_too() -> None:
    """By itself, mutmut leaves decorated functions out; what is cached early would hide a mutant."""
    assert with_plain_properties(SOURCE) == PLAIN


GENERATED = """class Timer:
    def xǁTimerǁsort_key__mutmut_orig(self):
        return ceil(at)

    def xǁTimerǁsort_key__mutmut_1(self):
        return at
"""


def left_behind(place: Path, code: int | None) -> Path:
    """What mutmut leaves behind of one mutant."""
    (place / "mutants/shared").mkdir(parents=True)
    (place / "mutants/shared/x.py").write_text(GENERATED)
    spans: Any = {"xǁTimerǁsort_key__mutmut_orig": [2, 3], "xǁTimerǁsort_key__mutmut_1": [5, 6]}
    (place / "mutants/shared/x.py.spans").write_text(json.dumps({"version": 1, "spans": spans}))
    codes = {"shared.x.xǁTimerǁsort_key__mutmut_1": code}
    (place / "mutants/shared/x.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    return place


@pytest.mark.parametrize(
    ("code", "fate"), [(1, Fate.KILLED), (0, Fate.SURVIVED), (33, Fate.SURVIVED), (-24, Fate.ENDLESS)]
)
def test_a_mutant_is_named_by_what_it_changes(tmp_path: Path, code: int, fate: Fate) -> None:
    """Never by its number; one that no test runs through survives."""
    assert list(mutants_of(left_behind(tmp_path, code), "shared/x.py")) == [(ROUNDED, fate)]


@pytest.mark.parametrize("code", [None, 2, 4])
def test_a_run_that_did_not_come_to_its_end_is_no_result(tmp_path: Path, code: int | None) -> None:
    """Nothing is counted as noticed that was not."""
    with pytest.raises(ValueError, match="ended with"):
        list(mutants_of(left_behind(tmp_path, code), "shared/x.py"))


def test_scope_and_explanations_fit_the_tree() -> None:
    """Each module and each test file is there; each explanation is of a function that is."""
    tree = HERE.parents[1]
    modules = modules_of((HERE / "scope.toml").read_text())
    for module in modules:
        files = (each.partition("::")[0] for each in (module.path, *module.tests))
        assert all((tree / each).is_file() for each in files)
    for each in read_explanations((HERE / "survivors.toml").read_text()):
        path, _, function = each.mutant.function.partition(":")
        assert path in {module.path for module in modules}
        assert f"def {function.rpartition('.')[2]}(" in (tree / path).read_text()
