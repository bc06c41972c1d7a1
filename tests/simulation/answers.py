"""What functions answered: I10, that what they took was kept; I3 and I7, that what they told is true."""

from collections.abc import Sequence

from shared.failure import CallFailedError
from shared.outgoing import ContractEvent
from shared.record import RecordRef
from shared.refused import RefusedError
from tests.simulation.history import Closing, Instant, Opening, Said, present
from tests.simulation.oracle import SKEW, Oracle
from tests.simulation.places import Run
from tests.simulation.ports import CODES
from tests.simulation.stack import Delivery

EXPECTED = {*CODES, "ValidationException", "Contended", "NotAnswered"}
"""Codes with which a function may fail."""


class Answers:
    """Hears what was taken, what was told to others, and what failed."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self.taken: list[Delivery] = []
        self.news: list[str] = []
        self.answered: set[tuple[str, str]] = set()
        """Requests and records."""
        self._refused: set[tuple[str, str, RecordRef]] = set()
        """By which run, of which case: holds that came too late."""

    def take(self, delivery: Delivery) -> None:
        """I10: an event that was taken was applied, or superseded, or refused with reason."""
        message, said = delivery.message, delivery.message.said
        self.taken.append(delivery)
        if message.sound == delivery.refused:
            what = "a sound event was refused" if delivery.refused else "a malformed event was accepted"
            self._oracle.violated("I10", f"{message.name}: {what}")
        if said is None or delivery.refused:
            return
        for record in message.records:
            if isinstance(said, Opening):
                if delivery.result == "too_late":
                    self._judge_refusal(record, delivery.run)
                if delivery.result == "too_late" or (delivery.run.name, said.case, record) in self._refused:
                    continue
                self._oracle.acknowledged[record].add(said)
            if not self._is_kept(record, said, delivery.run):
                self._oracle.violated("I10", f"{message.name}: taken, and not kept", record)

    def _is_kept(self, record: RecordRef, said: Said, run: Run) -> bool:
        told = self._oracle.told[record].said
        match said:
            case Opening(case, since):
                return any(isinstance(e, Opening) and e.case == case and e.since >= since for e in told)
            case Closing(case, at):
                return any(isinstance(e, Closing) and e.case == case and e.at >= at for e in told)
            case Instant("shipped") if self._oracle.place.was_dated(record, run.began):
                return True  # the record says so itself
            case Instant(kind, at):
                return said in told or (kind, at) in self._oracle.told[record].withdrawn
            case _:
                return said in told

    def tell(self, news: Sequence[ContractEvent], run: Run) -> None:
        """I3 and I7: what was told to others is true."""
        for event in news:
            self.news.append(f"{event.detail_type} {event.detail}")
            if event.detail_type not in {"ErasureCompleted", "ErasureRefused", "HoldRefused"}:
                continue
            table, key = event.detail["table"], event.detail["key"]
            record = RecordRef(table, {name: {"S": text} for name, text in key.items()})
            if event.detail_type == "HoldRefused":
                self._refused.add((run.name, event.detail["case_ref"], record))
                self._judge_refusal(record, run)
                continue
            self.answered.add((event.detail["request_id"], record.text))
            (request_rule,) = (each for each in run.edition.promises_of(table) if each.on_request)
            completed = event.detail_type == "ErasureCompleted"
            if completed and not self._oracle.place.absent(record, request_rule.fields, run.began):
                self._oracle.violated("I7", "an erasure was called complete that was not", record)

    def judge_placed(self, record: RecordRef, said: Said, run: Run) -> None:
        """I3: of a hold and an erasure one comes first; what is erased is not called held any more."""
        told, item = self._oracle.told[record], self._oracle.place.items.get(record)
        if not isinstance(said, Opening) or item is None or present(item, run.edition.held(record.table)):
            return
        if said.until in told.ends() and said.until > self._oracle.now + SKEW:
            self._oracle.violated("I3", "a hold was placed where there is nothing left to hold", record)

    def _judge_refusal(self, record: RecordRef, run: Run) -> None:
        """I3: a hold is refused only if there was nothing to hold."""
        if not self._oracle.place.absent(record, run.edition.held(record.table), run.began):
            self._oracle.violated("I3", "a hold was refused though there was something to hold", record)

    def fail(self, run: Run, error: BaseException) -> None:
        """I10: a function fails because a call failed, or because it cannot go on; never for want of care."""
        errors = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
        for each in errors:
            known = isinstance(each, RefusedError) or (
                isinstance(each, CallFailedError) and each.code in EXPECTED
            )
            if not known:
                code = each.code if isinstance(each, CallFailedError) else type(each).__name__
                self._oracle.violated("I10", f"{run.name} failed with {code}")
