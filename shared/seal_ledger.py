"""Use case: seal the ledger once a day; then drop the names that were kept long enough.

What was sealed last is all the state there is. A run that fails, ends early or never comes leaves a seal that
tells where to go on; of two at once, one seals. That names may be dropped is sealed before any is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.failure import code_of, raise_all
from shared.instants import DAY, add
from shared.last_seal import Foregoing, SealsToRead, SigningKey, foregoing
from shared.ledger_batch import Batch
from shared.policy import Policy
from shared.seal import CHAINS, NO_HEAD, Seal
from shared.seal_chain import MOST_FINDINGS, Chain, LedgerToSeal, is_older, look_at
from shared.tally import Count, Tally

EVERY = DAY - timedelta(minutes=30)
"""Runs come hourly, and not to the second: so it is done at the same hour each day."""
TIME_TO_SEAL = timedelta(seconds=60)
"""Before the function's time is up: chains are read no further, so that what was read is sealed."""
TIME_TO_STOP = timedelta(seconds=20)
"""No further batch loses its names then."""


class SealsToAddTo(SealsToRead, Protocol):
    """The seals, where nothing can be changed once it is there."""

    def keep_key(self, public_key: bytes) -> str:
        """Keep a public key, if it is not there; its digest, by which seals name it."""

    def add(self, seal: Seal, signature: bytes) -> bool:
        """Keep a seal; False if another has its number."""


@dataclass(frozen=True)
class Ports:
    """What this use case works on."""

    ledger: LedgerToSeal
    seals: SealsToAddTo
    key: SigningKey


@dataclass(frozen=True)
class Pace:
    """The time that a run has, and how chains are worked."""

    clock: Callable[[], datetime]
    time_left: Callable[[], timedelta]
    side_by_side: Callable[[Callable[[str], Chain], Iterable[str]], Iterable[Chain]] = map


@dataclass(frozen=True)
class SealReport:
    """What a run did. `sealed` is its own seal: `None` if it was not yet time, or another run was first."""

    sealed: Seal | None
    gap: timedelta = timedelta(0)
    """Since the last seal, this run's own among them."""
    findings: tuple[str, ...] = ()
    """What is wrong with the chains since then, or with the seals, with its place."""
    failures: tuple[str, ...] = ()
    tally: Tally = field(default_factory=Tally)

    def raise_failures(self) -> None:
        """Raise all failures together, so that the function's own failure shows them.

        Raises:
            ExceptionGroup: of `CallFailedError`s.
        """
        raise_all("seal", self.failures)


def seal_ledger(policy: Policy, ports: Ports, pace: Pace, *, by_hand: bool) -> SealReport:
    """Seal all chains as far as they can be read in time, if the last seal is a day old or somebody asks.

    A chain that is broken is sealed all the same, as it is, and what is no seal is passed over: what is
    wrong is counted and told.

    Raises:
        CallFailedError: nothing was sealed; the next run tries again.
    """
    now, before = pace.clock(), foregoing(ports.seals, ports.key)
    last = before.seal
    if last and not by_hand and now < last.at + EVERY:
        return SealReport(None, now - last.at)
    return _Run(policy, ports, pace, now, last, before).seal()


@dataclass(frozen=True)
class _Run:
    policy: Policy
    ports: Ports
    pace: Pace
    now: datetime
    last: Seal | None
    before: Foregoing

    def seal(self) -> SealReport:
        """First the seal, then what it says that may be done."""
        chains = {each.name: each for each in self.pace.side_by_side(self._look, CHAINS)}
        seal = self._next(chains)
        broken = tuple(text for each in chains.values() for text in each.findings)
        findings = (*broken, *self.before.foreign[:MOST_FINDINGS])
        failures = [each.failure for each in chains.values() if each.failure]
        tally = Tally()
        tally.add(Count.BROKEN_CHAINS, sum(bool(each.findings) for each in chains.values()))
        tally.add(Count.FOREIGN_SEALS, len(self.before.foreign))
        if not self.ports.seals.add(seal, self.ports.key.sign(seal.digest)):
            gap = self.now - self.last.at if self.last else timedelta(0)
            return SealReport(None, gap, findings, tuple(failures), tally)
        tally.add(Count.SEALS)
        worked = list(self.pace.side_by_side(lambda name: self._drop(chains[name]), CHAINS))
        tally.add(Count.UNNAMED_BATCHES, sum(each.dropped for each in worked))
        failures += [each.drop_failure for each in worked if each.drop_failure]
        return SealReport(seal, timedelta(0), findings, tuple(failures), tally)

    @property
    def _kept_since(self) -> datetime:
        """Names of what is older may go."""
        return add(self.now, -self.policy.names_retain)

    def _look(self, name: str) -> Chain:
        before = self.last
        chain = Chain(
            name,
            head=before.heads[name] if before else NO_HEAD,
            unnamed=before.unnamed[name] if before else 0,
            unnaming=before.unnaming[name] if before else 0,
        )
        try:
            look_at(chain, self.ports.ledger, self._kept_since, self._has_time)
        except Exception as error:  # noqa: BLE001 -- one chain must not keep the others from being sealed; it is raised in the end
            chain.failure = code_of(error)
        return chain

    def _has_time(self) -> bool:
        return self.pace.time_left() > TIME_TO_SEAL

    def _next(self, chains: Mapping[str, Chain]) -> Seal:
        """The key is kept before a seal names it."""
        last = self.last
        return Seal(
            number=self.before.next_number,
            at=self.now,
            kept_since=self._kept_since,
            previous=last.digest.hex() if last else "",
            public_key=self.ports.seals.keep_key(self.ports.key.public()),
            heads={name: chain.head for name, chain in chains.items()},
            unnamed={name: chain.unnamed for name, chain in chains.items()},
            unnaming={name: chain.unnaming for name, chain in chains.items()},
        )

    def _drop(self, chain: Chain) -> Chain:
        """Drop a chain's names as far as was sealed, oldest first, while there is time."""
        try:
            for batch in self._to_drop(chain):
                if self.pace.time_left() <= TIME_TO_STOP:
                    break
                self.ports.ledger.drop_names(batch)
                chain.dropped += 1
        except Exception as error:  # noqa: BLE001 -- as above; the next run goes on there
            chain.drop_failure = code_of(error)
        return chain

    def _to_drop(self, chain: Chain) -> Iterable[Batch]:
        if chain.unnaming == chain.unnamed:
            return
        for batch in self.ports.ledger.batches(int(chain.name), chain.unnamed):
            if batch["seq"] > chain.unnaming:
                return
            # Looked at again: a seal that somebody forged must not make names go before their time.
            if batch["names"] is not None and is_older(batch, self._kept_since) is not False:
                yield batch
