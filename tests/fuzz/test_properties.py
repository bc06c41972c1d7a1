"""Hostile input, a little of it in each run of the tests; `make fuzz` goes on from here, by coverage."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.due_row import timer_of_row
from shared.instants import AnchorFormat
from shared.mapping import map_event
from shared.policy_file import read_policy
from shared.sources_file import read_sources
from tests.builders import NOW
from tests.followed import followed
from tests.fuzz import tables
from tests.fuzz.evidence import CHAIN, HEAD, SHARD
from tests.fuzz.files import POLICIES, SOURCES, check_policy, check_sources
from tests.fuzz.formats import ZONES, check_instant
from tests.fuzz.incoming import CONTRACTS, ENTRIES, OWN_FOREIGN, accepted, check_body, check_foreign
from tests.fuzz.stored import DUE_ROW, FACTS, FACTS_ROW, TIMER, check_reference, read_facts
from tests.fuzz.targets import TARGETS
from tests.fuzz.writing import as_toml, encoded

pytestmark = pytest.mark.filterwarnings("ignore:deprecated string literal syntax")  # jmespath's, of literals

EXAMPLES = {"ledger": 300, "sources_file": 300, "facts_rows": 400, "policy_file": 500, "instants": 1500}
any_bytes = st.integers(0, 2**32).map(lambda seed: Random(seed).randbytes(120))  # noqa: S311 -- no secret
"""Not `binary()`, which hypothesis likes short and of zeros: such bytes hardly damage a sample."""


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_samples(name: str) -> None:
    """Whatever is damaged in a sound sample: what is accepted of it is sound, and no error says a value."""

    @settings(max_examples=EXAMPLES.get(name, 600))
    @given(any_bytes)
    def damaged(data: bytes) -> None:
        TARGETS[name](data)

    damaged()


def test_tame_samples_are_accepted() -> None:
    """What is damaged was sound to begin with: else all would be refused at the first check."""
    for sample in CONTRACTS:
        assert accepted(json.dumps(sample).encode()) == 1
    assert [len(each.events) for each in map_event(OWN_FOREIGN, NOW, ENTRIES)] == [1, 1, 1]
    assert all(read_policy(as_toml(sample)).rules for sample in POLICIES)
    assert read_sources(as_toml(SOURCES))
    assert read_facts(FACTS_ROW) == FACTS
    assert timer_of_row(DUE_ROW) == TIMER
    assert not followed(SHARD, CHAIN, HEAD)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(tables.TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("detail"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(any_json.map(json.dumps).map(str.encode) | st.text().map(str.encode))
def test_any_body(body: bytes) -> None:
    """A message may hold anything, or nothing."""
    check_body(body)
    check_foreign(body)


digits = st.text("0123456789-+:.TZ ", max_size=32)
shaped = st.builds(
    "".join,
    st.tuples(
        st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", fullmatch=True),
        st.sampled_from(["T", "t", " ", ""]),
        st.from_regex(r"([0-2][0-9]:[0-6][0-9]:[0-6][0-9])?", fullmatch=True),
        st.from_regex(r"(\.[0-9]{1,20})?", fullmatch=True),
        st.from_regex(r"([Zz]|[+-][0-2][0-9]:[0-6][0-9])?", fullmatch=True),
    ),
)


@settings(max_examples=500)
@given(st.sampled_from(CONTRACTS), st.text() | shaped | st.sampled_from(tables.EDGES), st.data())
def test_any_text_anywhere(sample: dict[str, object], text: str, data: st.DataObject) -> None:
    """Any text, and any instant, in the place of any of an event's."""
    written = json.dumps(sample)
    texts = sorted({each for each in written.split('"')[1::2] if each})
    taken_out = json.dumps(data.draw(st.sampled_from(texts)))
    check_body(written.replace(taken_out, json.dumps(text)).encode())


@settings(max_examples=500)
@given(st.sampled_from(AnchorFormat), st.sampled_from(ZONES), digits | shaped | st.text())
def test_instants_as_a_second_reader_has_them(written: AnchorFormat, zone: object, text: str) -> None:
    """Accepted is what a reader accepts that shares nothing with ours, and it is the same instant."""
    check_instant(encoded(f"{written}\n{zone}\n{text}"))


@given(st.text() | st.builds("{}#{}".format, st.text(), any_json.map(json.dumps)))
def test_any_reference(text: str) -> None:
    """A reference is written in one way, or it is none."""
    check_reference(encoded(text))


@given(st.binary(max_size=60), st.integers(0, 2000), st.sampled_from(["policy_file", "sources_file"]))
def test_any_bytes_within_a_file(some: bytes, at: int, name: str) -> None:
    """A file that an editor or a disk has spoilt."""
    whole = TARGETS[name].made_from(b"")
    {"policy_file": check_policy, "sources_file": check_sources}[name](whole[:at] + some + whole[at:])
