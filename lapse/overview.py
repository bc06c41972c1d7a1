"""All that there is to see of a deployed Lapse at one instant: the figures of `lapse report`.

`status` shows `present`, `due` a `timetable`: what they need is read without the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lapse.controls import Controls
from lapse.copies import TableCopies
from lapse.horizon import AHEAD
from lapse.late_progress import LateProgress
from lapse.ledger_totals import LedgerTotals, Reader
from lapse.present import Present, look_at_present
from lapse.report_table import KEPT
from lapse.seals import NEVER
from lapse.timetable import Timetable, read_timetable
from shared.ledger_batch import Kept
from shared.policy import Policy


@dataclass(frozen=True)
class Overview:
    """What was seen, and of which stack."""

    stack: str
    account: str
    region: str
    policy: Policy
    present: Present
    timetable: Timetable
    ledger: LedgerTotals
    dead_letters: Mapping[str, int]
    """By reason."""
    copies: Sequence[TableCopies]

    @property
    def now(self) -> datetime:
        """When it was looked at."""
        return self.present.now


def look_over(
    lapse: Controls,
    now: datetime,
    witness: Callable[[Kept], None] = lambda _: None,
) -> Overview:
    """Look at everything once. Timers and ledger are read page by page, and counted.

    Args:
        lapse: the deployed stack.
        now: an aware UTC instant.
        witness: is shown each entry of the ledger.
    """
    with LateProgress("Reading timers", None) as progress:
        table = read_timetable(lapse, now, AHEAD[-1], KEPT, progress.advance)
    present = look_at_present(lapse, now, table.horizon(now))
    sealed = None if present.seal_unknown else present.last_seal or NEVER
    with LateProgress("Reading the ledger", None) as progress:
        ledger = Reader(now, lapse.zone, progress.advance, witness, sealed).read(lapse)
    with LateProgress("Looking at dead letters", present.dead_letters) as progress:
        reasons = lapse.dead_letters.reasons(progress.advance)
    letters = max(present.dead_letters, sum(reasons.values()))  # SQS's own number is a rough one
    return Overview(
        stack=lapse.stack,
        account=lapse.account,
        region=lapse.region,
        policy=lapse.policy,
        present=replace(present, dead_letters=letters),
        timetable=table,
        ledger=ledger,
        dead_letters=reasons,
        copies=lapse.copies.of_tables(),
    )
