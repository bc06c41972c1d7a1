"""Planted bugs in the order and the making of steps: erase, evidence, timers, sweeps, answers, restores."""

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared import deliveries, hold_records, purge_shard, schedule_deletion, set_timers, settle, sweep_part
from shared.answer_requests import Answering
from shared.failure import CallFailedError
from shared.hold_records import Held
from shared.outgoing import erasure_completed
from shared.pausing import Pause
from shared.policy import Rule
from shared.purge_due import PurgeReport
from shared.purge_shard import ShardReport, ShardRun
from shared.record import Path, RecordRef, View
from shared.refused import RefusedError
from shared.replay_ports import FactsAsTheyAre
from shared.retention import GRACE
from shared.set_timers import SettingTimers
from shared.settle import Settled
from shared.sweep import SweepReport
from shared.sweep_part import PartsOfSweep
from shared.tally import Tally
from shared.timer import Timer
from tests import memory as ports
from tests.memory import MemoryFacts, MemoryLedger, MemoryTables, MemoryTimers, MemoryWakeUps
from tests.simulation import stack
from tests.simulation.oracle import Invariant
from tests.simulation.planted import planted
from tests.simulation.ports import Chain

I1, I2, I3, I4, I5, I6, I7, I8, I9, I10 = Invariant

# --- the erase and its guard ------------------------------------------------------------------------------------


@planted(I1, I3)
def hold_checked_before_but_not_at_the_erase(plant: pytest.MonkeyPatch) -> None:
    """The guard asks neither for the mark nor for the facts' version."""
    real = MemoryTables._unchanged

    def unchanged(
        tables: MemoryTables, rule: Rule, record: RecordRef, item: dict[str, Any], view: View
    ) -> bool:
        now = tables.memory.facts.get(record)
        mark = ports.at_path(item, ("legal_hold",))
        seen = {path: each for path, each in view.attributes.items() if path != ("legal_hold",)}
        seen |= {("legal_hold",): mark} if mark else {}
        return real(tables, rule, record, item, replace(view, attributes=seen, facts=now))

    plant.setattr(MemoryTables, "_unchanged", unchanged)


@planted(I1)
def the_guard_is_gone(plant: pytest.MonkeyPatch) -> None:
    """What was looked at is erased, whatever it has become."""
    plant.setattr(MemoryTables, "_unchanged", lambda *_: True)


@planted(I1)
def the_version_of_facts_is_not_asked(plant: pytest.MonkeyPatch) -> None:
    """A return that is told between look and erase comes too late."""
    real = MemoryTables._unchanged

    def unchanged(
        tables: MemoryTables, rule: Rule, record: RecordRef, item: dict[str, Any], view: View
    ) -> bool:
        return real(tables, rule, record, item, replace(view, facts=tables.memory.facts.get(record)))

    plant.setattr(MemoryTables, "_unchanged", unchanged)


@planted(I4)
def a_whole_item_is_written(plant: pytest.MonkeyPatch) -> None:
    """The purge writes back what it looked at, without the fields."""
    real = MemoryTables.erase

    def erase(tables: MemoryTables, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        removed = real(tables, rule, record, view)
        if removed:
            seen = {path[0]: value for path, value in view.attributes.items()}
            tables.memory.items[record] = deepcopy({**record.key, **seen})
        return removed

    plant.setattr(MemoryTables, "erase", erase)


@planted(I4)
def an_absent_record_becomes_a_ghost(plant: pytest.MonkeyPatch) -> None:
    """`attribute_exists(key)` is left out: an update of a missing key makes an item."""
    real = MemoryTables.erase

    def erase(tables: MemoryTables, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        tables.memory.items.setdefault(record, dict(record.key))
        return real(tables, rule, record, view)

    plant.setattr(MemoryTables, "erase", erase)


@planted(I2)
def a_missing_parent_stops_all_fields(plant: pytest.MonkeyPatch) -> None:
    """If one path cannot be removed, none is."""
    real = MemoryTables.erase

    def erase(tables: MemoryTables, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        item = tables.memory.items.get(record, {})
        if any(path[:-1] and ports.at_path(item, path[:-1]) is None for path in rule.erase):
            return ()
        return real(tables, rule, record, view)

    plant.setattr(MemoryTables, "erase", erase)


# --- evidence ------------------------------------------------------------------------------------


@planted(I7, I10)
def the_timer_is_deleted_first(plant: pytest.MonkeyPatch) -> None:
    """Then the evidence: a crash between the two leaves neither."""

    def finish(run: ShardRun, report: ShardReport, settled: list[Settled]) -> None:
        moving = [each for each in settled if not each.stands]
        run._move(report, moving)
        entries = [entry for each in settled for entry in each.entries]
        if entries:
            run.ports.ledger.append(report.shard, entries)

    plant.setattr(ShardRun, "_finish", finish)


@planted(I7)
def a_tail_of_the_ledger_is_lost(plant: pytest.MonkeyPatch) -> None:
    """A batch overwrites the one before it."""
    real = Chain.append

    def append(chain: Chain, batch: Any) -> None:
        if len(chain.rows) == 3:
            chain.rows.pop()
        real(chain, batch)

    plant.setattr(Chain, "append", append)


@planted(I7)
def the_chain_is_forked(plant: pytest.MonkeyPatch) -> None:
    """Two batches follow the same one."""
    real = Chain.append

    def append(chain: Chain, batch: Any) -> None:
        if len(chain.rows) == 3:
            chain._end = (chain._end[0], chain.rows[1]["hash"])
        real(chain, batch)

    plant.setattr(Chain, "append", append)


@planted(I7)
def only_the_first_entry_of_a_batch_is_kept(plant: pytest.MonkeyPatch) -> None:
    """The others of the batch are lost."""
    real = MemoryLedger.append
    plant.setattr(MemoryLedger, "append", lambda ledger, shard, entries: real(ledger, shard, entries[:1]))


@planted(I5)
def evidence_names_the_timers_due(plant: pytest.MonkeyPatch) -> None:
    """Not the instant by which it was decided."""
    real = settle._Case._entry

    def entry(case: Any, outcome: Any, fields: Any = (), *, reason: str = "", due: Any = None) -> Any:
        return real(case, outcome, fields, reason=reason)

    plant.setattr(settle._Case, "_entry", entry)


@planted(I7)
def absence_is_recorded_unasked(plant: pytest.MonkeyPatch) -> None:
    """A refused guard is taken for fields that are gone."""
    plant.setattr(settle._Case, "_has_personal_fields", lambda _case: False)


@planted(I8)
def an_events_other_fields_are_kept(plant: pytest.MonkeyPatch) -> None:
    """What came with the event goes into the evidence."""
    real = schedule_deletion.tell

    def tell(record: RecordRef, changed: Any, entry: Any, facts: Any) -> Any:
        view = facts.port.memory.items.get(record, {})
        note = str(view.get("email", {}).get("S", ""))
        return real(record, changed, replace(entry, details={**entry.details, "note": note}), facts)

    plant.setattr(schedule_deletion, "tell", tell)


@planted(I8)
def errors_repeat_what_came(plant: pytest.MonkeyPatch) -> None:
    """A refusal quotes the event."""

    def take(self: deliveries.Deliveries, body: str) -> Tally:
        try:
            return self.work(deliveries._parsed(body), self.clock())
        except RefusedError as refused:
            self.dead_letters.keep(body, RefusedError(refused.field, f"{refused.reason}: {body}"))
            return Tally()

    plant.setattr(deliveries.Deliveries, "take", take)


# --- timers ------------------------------------------------------------------------------------


@planted(I10)
def a_held_timer_is_dropped(plant: pytest.MonkeyPatch) -> None:
    """The hold's end sets no timer; the sweep would, if there is one."""
    plant.setattr(settle._Case, "_wait", lambda case, _decision: case._end())


@planted(I10)
def dropped_timers_leave_no_evidence(plant: pytest.MonkeyPatch) -> None:
    """What comes to nothing just goes."""
    plant.setattr(settle._Case, "_drop", lambda case, _why: case._end())


@planted(I10)
def erased_without_a_timer(plant: pytest.MonkeyPatch) -> None:
    """The timer is removed before the work begins, so that nobody does it twice."""
    real = ShardRun._settle

    def settling(run: ShardRun, timers: Sequence[Timer], tally: Tally) -> list[Settled]:
        run.ports.timers.remove(timers)
        return real(run, timers, tally)

    plant.setattr(ShardRun, "_settle", settling)


@planted(I2)
def a_timer_that_failed_once_comes_in_a_year(plant: pytest.MonkeyPatch) -> None:
    """The pause after a failure grows too fast."""
    real = Timer.backed_off
    plant.setattr(
        Timer, "backed_off", lambda timer, now: replace(real(timer, now), at=now.replace(year=now.year + 1))
    )


@planted(I2)
def one_failing_record_blocks_its_shard(plant: pytest.MonkeyPatch) -> None:
    """A record that cannot be worked ends the batch, and stands at its head for ever."""
    real = ShardRun._settle_one

    def settle_one(run: ShardRun, timer: Timer, views: Any, tally: Tally) -> Settled:
        settled = real(run, timer, views, tally)
        if settled.failure:
            raise CallFailedError("settle", settled.failure)
        return settled

    plant.setattr(ShardRun, "_settle_one", settle_one)


@planted(I2)
def a_lease_is_for_ever(plant: pytest.MonkeyPatch) -> None:
    """What a crashed run leased, nobody works any more."""

    def lease(timers: MemoryTimers, shard: int, now: datetime, until: datetime) -> bool:
        holder, _ = timers.memory.leases.get(shard, (timers.holder, now))
        if holder == timers.holder:
            timers.memory.leases[shard] = (holder, until)
        return holder == timers.holder

    plant.setattr(MemoryTimers, "lease", lease)


@planted(I2)
def wake_ups_come_to_nothing(plant: pytest.MonkeyPatch) -> None:
    """No schedule is made; the recurring purge would mask it."""
    plant.setattr(MemoryWakeUps, "ensure", lambda *_: None)


@planted(I2)
def an_existing_wake_up_is_a_failure(plant: pytest.MonkeyPatch) -> None:
    """A conflict ends whatever needed the same minute."""
    real = MemoryWakeUps.ensure

    def ensure(wake_ups: MemoryWakeUps, minute: datetime) -> None:
        if minute in wake_ups.memory.minutes:
            raise RuntimeError("ConflictException")
        real(wake_ups, minute)

    plant.setattr(MemoryWakeUps, "ensure", ensure)


@planted(I2)
def the_recurring_purge_does_nothing(plant: pytest.MonkeyPatch) -> None:
    """Only wake-ups work; a lost one is never made up for."""
    real = stack.purge_due

    def purge(policy: Any, of: Any, pace: Any, cause: str) -> PurgeReport:
        return (
            real(
                replace(policy, rules=policy.rules), of, replace(pace, side_by_side=lambda *_: NOTHING), cause
            )
            if cause == "recurring"
            else real(policy, of, pace, cause)
        )

    plant.setattr(stack, "purge_due", purge)


NOTHING = [ShardReport(0, finished=True)]


# --- the sweep ------------------------------------------------------------------------------------


@planted(I2)
def the_sweep_finds_nothing(plant: pytest.MonkeyPatch) -> None:
    """No timer is ever set by it."""
    plant.setattr(SettingTimers, "work", lambda *_args, **_kwargs: None)


@planted(I2)
def a_sweep_without_paging(plant: pytest.MonkeyPatch) -> None:
    """The first page of each segment is taken for all of it."""
    real = PartsOfSweep._work_page

    def work_page(parts: PartsOfSweep, pages: Any, part: Any, progress: Any) -> Any:
        further, units = real(parts, pages, part, progress)
        return replace(further, cursor=None, done=True), units

    plant.setattr(PartsOfSweep, "_work_page", work_page)


@planted(I2)
def the_cursor_skips_a_page(plant: pytest.MonkeyPatch) -> None:
    """It is moved before the page it stands for is worked."""
    real = PartsOfSweep._work_page

    def work_page(parts: PartsOfSweep, pages: Any, part: Any, progress: Any) -> Any:
        further, units = real(parts, pages, part, progress)
        if further.cursor is None:
            return further, units
        return real(
            parts, sweep_part.Pages(parts.policy, _Deaf(parts.ports), parts.pace.clock()), part, further
        )

    plant.setattr(PartsOfSweep, "_work_page", work_page)


class _Deaf:
    """The sweep's ports, where nothing that is set is kept."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.timers = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def missing(self, _timers: Collection[Timer]) -> Sequence[Timer]:
        return []


@planted(I2)
def a_done_flag_instead_of_the_data(plant: pytest.MonkeyPatch) -> None:
    """What was erased once is never looked at again; what is written back stays."""
    real = SettingTimers._is_there

    def is_there(setting: SettingTimers, found: Any, timer: Any, *, sure: bool) -> bool:
        memory = setting.ports.ledger.port.memory  # type: ignore[attr-defined]  # a port of the simulation's
        done = any(
            (entry.record, entry.rule, entry.outcome) == (found.record.text, found.rule.id, "erased")
            for batch in memory.batches[found.record.shard]
            for entry in batch
        )
        return not done and real(setting, found, timer, sure=sure)

    plant.setattr(set_timers.SettingTimers, "_is_there", is_there)


@planted(I2)
def a_sweep_that_failed_counts_as_done(plant: pytest.MonkeyPatch) -> None:
    """Its cursor is not kept, and the day is over."""
    real = stack.sweep

    def sweep(policy: Any, of: Any, progress: Any, pace: Any, *, by_hand: bool) -> SweepReport:
        report = real(policy, of, progress, pace, by_hand=by_hand)
        if report.failures and report.sweep:
            progress.finish(replace(report.sweep, finished=pace.clock()))
        return report

    plant.setattr(stack, "sweep", sweep)


# --- reads that are not whole -----------------------------------------------------------------------------------


@planted(I1, I3)
def unprocessed_keys_of_facts_are_dropped(plant: pytest.MonkeyPatch) -> None:
    """Of several records that are asked for, the last is taken for unknown."""
    real = MemoryFacts.read

    def read(facts: MemoryFacts, records: Collection[RecordRef]) -> Any:
        known = dict(real(facts, records))
        if len(known) > 1:
            known.pop(max(known, key=lambda each: each.text))
        return known

    plant.setattr(MemoryFacts, "read", read)
    plant.setattr(MemoryTables, "_unchanged", lambda *_: True)


@planted(I7)
def unprocessed_keys_of_records_are_dropped(plant: pytest.MonkeyPatch) -> None:
    """Of several records that are looked at, the last is taken for absent."""
    real = MemoryTables.look

    def look(tables: MemoryTables, records: Collection[RecordRef], paths: Collection[Path]) -> Any:
        found = dict(real(tables, records, paths))
        if len(found) > 1:
            found.pop(max(found, key=lambda each: each.text))
        return found

    plant.setattr(MemoryTables, "look", look)


# --- holds ------------------------------------------------------------------------------------


@planted(I3)
def a_mark_without_its_fact(plant: pytest.MonkeyPatch) -> None:
    """The record says that it is held; Facts do not know."""
    real = MemoryFacts.change

    def change(facts: MemoryFacts, record: RecordRef, before: Any, after: Any, entry: Any, mark: Any) -> bool:
        if entry.outcome != "hold_placed":
            return real(facts, record, before, after, entry, mark)
        return bool(mark) and facts._holds(record, mark) and (facts._put_mark(record, mark) or True)

    plant.setattr(MemoryFacts, "change", change)


@planted(I1, I3)
def a_fact_without_its_mark(plant: pytest.MonkeyPatch) -> None:
    """Facts know the hold; the record does not say so, and the purge has looked already."""
    real = MemoryFacts.change
    plant.setattr(
        MemoryFacts,
        "change",
        lambda facts, record, before, after, entry, _mark: real(facts, record, before, after, entry, None),
    )


@planted(I3)
def a_busy_record_is_called_too_late(plant: pytest.MonkeyPatch) -> None:
    """A hold that meets another's write is refused, though there is something to hold."""
    real = hold_records.place_hold

    def place(record: RecordRef, hold: Any, telling: Any, of: Any) -> Held:
        class Hasty:
            def __getattr__(self, name: str) -> Any:
                return getattr(of.records, name)

            def has_fields(self, *_: Any) -> bool:
                return False

        return real(record, hold, telling, replace(of, records=Hasty()))

    from shared import work_dispute  # noqa: PLC0415
    from tests.simulation import outside  # noqa: PLC0415

    plant.setattr(work_dispute, "place_hold", place)
    plant.setattr(outside, "place_hold", place)


@planted(I3)
def a_hold_is_acknowledged_whatever_comes_of_it(plant: pytest.MonkeyPatch) -> None:
    """The answer of the transaction is not looked at."""
    real = MemoryFacts.change

    def change(facts: MemoryFacts, record: RecordRef, before: Any, after: Any, entry: Any, mark: Any) -> bool:
        kept = real(facts, record, before, after, entry, mark)
        return kept or entry.outcome == "hold_placed"

    plant.setattr(MemoryFacts, "change", change)


# --- brakes ------------------------------------------------------------------------------------


@planted(I1)
def a_pause_is_read_once(plant: pytest.MonkeyPatch) -> None:
    """Later batches of the run do not ask again."""
    real = ShardRun._is_paused
    asked: dict[int, bool] = {}

    def is_paused(run: ShardRun) -> bool:
        return asked.setdefault(id(run), real(run))

    plant.setattr(ShardRun, "_is_paused", is_paused)


@planted(I1)
def pauses_are_ignored(plant: pytest.MonkeyPatch) -> None:
    """Nobody asks."""
    plant.setattr(Pause, "in_force", lambda *_: False)


@planted(I1)
def no_limit_per_run(plant: pytest.MonkeyPatch) -> None:
    """`max_erasures_per_run` is not counted."""
    from shared.allowance import Allowance  # noqa: PLC0415

    plant.setattr(Allowance, "take", lambda _allowance: True)
    plant.setattr(Allowance, "spent", False)


# --- events and answers ------------------------------------------------------------------------------------


@planted(I10)
def a_failed_event_counts_as_taken(plant: pytest.MonkeyPatch) -> None:
    """What could not be kept is not delivered again."""
    real = deliveries.Deliveries.take

    def take(self: deliveries.Deliveries, body: str) -> Tally:
        try:
            return real(self, body)
        except CallFailedError:
            return Tally()

    plant.setattr(deliveries.Deliveries, "take", take)


@planted(I10)
def a_refused_event_disappears(plant: pytest.MonkeyPatch) -> None:
    """It is in no dead-letter queue."""

    def take(self: deliveries.Deliveries, body: str) -> Tally:
        try:
            return self.work(deliveries._parsed(body), self.clock())
        except RefusedError:
            return Tally()

    plant.setattr(deliveries.Deliveries, "take", take)


@planted(I10)
def requests_are_not_answered(plant: pytest.MonkeyPatch) -> None:
    """Whoever asked never hears of it."""
    plant.setattr(Answering, "answer", lambda *_: 0)


@planted(I7)
def an_erasure_is_called_complete_before_it_is(plant: pytest.MonkeyPatch) -> None:
    """The answer goes out when the request comes in."""
    from shared import request_erasure  # noqa: PLC0415

    real = request_erasure._begin

    def begin(request: Any, rule: Rule, record: RecordRef, telling: Any, of: Any) -> None:
        real(request, rule, record, telling, of)
        of.bus.put([erasure_completed(request.request_id, record, "erased", telling.now)])

    plant.setattr(request_erasure, "_begin", begin)


# --- restores ------------------------------------------------------------------------------------


@planted(I9)
def a_restore_forgets_holds(plant: pytest.MonkeyPatch) -> None:
    """The replay looks at the restored table alone, and the check does not mind."""
    from shared import replay, restore  # noqa: PLC0415
    from tests.simulation import restoring  # noqa: PLC0415

    plant.setattr(replay._Replay, "_put_marks_right", lambda _replay: None)
    plant.setattr(restore._Checking, "_faults_of_mark", lambda *_: ())
    real_look = purge_shard.look_at

    def look_at(looks: Any, records: Any, facts: Any) -> Any:
        views = real_look(looks, records, facts)
        if "restore" not in records.calls.task.name:
            return views
        return {
            each: replace(view, facts=view.facts and replace(view.facts, holds={}))
            for each, view in views.items()
        }

    plant.setattr(purge_shard, "look_at", look_at)
    assert restoring


@planted(I9)
def a_restore_forgets_what_was_told(plant: pytest.MonkeyPatch) -> None:
    """Departures and requests do not count for the restored table, and the check asks only for anchors."""
    from shared import restore  # noqa: PLC0415

    plant.setattr(FactsAsTheyAre, "scan", lambda *_: ports.FactsPage({}, None, 0, 0.0))
    plant.setattr(restore._Checking, "_faults_of_fields", lambda *_: ())


@planted(I9)
def a_restored_table_is_used_as_it_is(plant: pytest.MonkeyPatch) -> None:
    """Nothing is replayed, and the check always passes."""
    from shared import restore  # noqa: PLC0415
    from tests.simulation import restoring  # noqa: PLC0415

    plant.setattr(restoring, "replay", lambda *_: restoring.Replayed(counts=ports_counts()))
    plant.setattr(restore._Checking, "_check", lambda checking, *_: restoring.Checked(checking.most))


def ports_counts() -> Any:
    """Of a sweep that found nothing."""
    from collections import Counter  # noqa: PLC0415

    return Counter()


assert timedelta(0) < GRACE
