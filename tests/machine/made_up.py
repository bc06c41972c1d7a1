"""Operations that hypothesis makes up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from shared.facts import FactKind
from shared.record import RecordRef
from tests.builders import closed, left, mark_outdated, opened, requested, returned, shipped, to_wire_text
from tests.machine.operations import (
    CANARY,
    CONTACTS,
    DAY,
    MALFORMED,
    SHIPMENTS,
    Arrive,
    Corrects,
    Deletes,
    Operation,
    Pauses,
    Purges,
    Sweeps,
    Updates,
    Waits,
    Writes,
    day,
    id_of,
)

records = st.sampled_from([*SHIPMENTS, *CONTACTS])
shipments = st.sampled_from(SHIPMENTS)
contacts = st.sampled_from(CONTACTS)
anchors = st.sampled_from(
    [{"S": to_wire_text(day(number))} for number in (-100, -89, -6, 0)]
    + [{"S": "25/08/2026"}, {"NULL": True}, {"S": "1970-01-01T00:00:00Z"}]
)
marks = st.sampled_from(
    [{"M": {"until": {"S": to_wire_text(day(number))}}} for number in (-1, 3)] + [{"NULL": True}, {"M": {}}]
)
changes = st.one_of(
    st.just({}),
    st.builds(dict, shipped_at=st.none() | anchors),
    st.builds(dict, legal_hold=st.none() | marks),
    st.sampled_from([{"drop_ship": {"BOOL": False}}, {"drop_ship": None}, {"gate": None}, {"email": None}]),
    st.sampled_from([{"email": {"S": f"{CANARY}-other@example.org"}}, {"status": {"N": "7"}}]),
)
instants = st.sampled_from([-100, -95, -89, -6, -1, 0]).map(day)
"""Of departures, returns, shipments: few, so that they meet."""
cases = st.sampled_from(["CASE-1", "CASE-2"])
malformed = st.sampled_from(MALFORMED)


def _asked(request: int, whose: list[RecordRef], at: datetime) -> Mapping[str, Any]:
    return requested(*whose, request_id=f"R-{request}", requested_at=at)


events: st.SearchStrategy[Mapping[str, Any]] = st.one_of(
    st.builds(lambda record, at: shipped(id_of(record), at), shipments, instants),
    st.builds(lambda record, at: left(id_of(record), at), contacts, instants),
    st.builds(lambda record, at: returned(id_of(record), at), contacts, instants),
    st.builds(
        lambda record, case, since, days: opened(
            id_of(record), case_ref=case, opened_at=since, until=since + days * DAY
        ),
        shipments,
        cases,
        st.sampled_from([-2, -1, 0]).map(day),
        st.sampled_from([1, 5, 200]),
    ),
    st.builds(
        lambda record, case, at: closed(id_of(record), case_ref=case, closed_at=at),
        shipments,
        cases,
        st.sampled_from([-1, 0, 1]).map(day),
    ),
    shipments.map(mark_outdated),
    st.builds(
        _asked,
        st.integers(1, 3),
        st.lists(records, min_size=1, max_size=3, unique=True),
        st.sampled_from([-3, 0]).map(day),
    ),
)
corrections = st.one_of(
    st.builds(
        Corrects,
        contacts,
        st.sampled_from([FactKind.LEFT, FactKind.RETURNED]),
        instants,
        st.none() | instants,
    ),
    st.builds(Corrects, shipments, st.just(FactKind.SHIPPED), instants, st.none() | instants),
)
operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Writes, records, changes),
    st.builds(Updates, records, changes),
    st.builds(Deletes, records),
    st.lists(events, min_size=1, max_size=4).map(tuple).map(Arrive),
    st.lists(events, min_size=1, max_size=4).map(tuple).map(Arrive),
    st.lists(events, min_size=3, max_size=6).map(tuple).map(Arrive),
    malformed.map(lambda each: Arrive((each,))),
    corrections,
    st.sampled_from([0.5, 3, None]).map(Pauses),
    st.builds(Purges),
    st.builds(Purges),
    st.builds(Purges),
    st.builds(Sweeps),
    st.sampled_from([1 / 1440, 0.2, 1, 2, 30, 91]).map(Waits),
)
beginnings = st.tuples(*(st.builds(Writes, st.just(record), changes) for record in [*SHIPMENTS, *CONTACTS]))


def scripts(most: int) -> st.SearchStrategy[list[Operation]]:
    """Records first, so that there is something to happen to; then up to so many operations."""
    return st.builds(
        lambda begin, rest: [*begin, *rest],
        beginnings,
        st.lists(operations, min_size=most // 2, max_size=most),
    )
