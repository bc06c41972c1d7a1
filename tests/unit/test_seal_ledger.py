"""Sealing: daily, whatever happened before, and of two at once one; then names go, oldest first."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from shared import seal_chain
from shared.failure import CallFailedError
from shared.instants import DAY, to_text
from shared.ledger_batch import Batch
from shared.seal import CHAINS, NO_HEAD, Seal
from shared.tally import Count
from tests.builders import NOW, policy
from tests.sealing import LocalKey, Sealing, entry_at

SHARD = 3
LONG_AGO = NOW - policy().names_retain - DAY


@pytest.fixture
def sealing() -> Sealing:
    """Three batches of one shard."""
    sealing = Sealing()
    for _ in range(3):
        sealing.ledger.append(SHARD)
    return sealing


def head_of(sealing: Sealing, number: int = -1) -> tuple[int, str]:
    batch = sealing.ledger.chains[SHARD][number]
    return int(batch["seq"]), batch["hash"]


def test_all_heads_are_sealed(sealing: Sealing) -> None:
    """Signed by the key that the seal names; empty chains have none."""
    report = sealing.run()
    seal = sealing.last
    assert (seal.number, seal.at, seal.previous) == (1, NOW, "")
    assert seal.heads == {**dict.fromkeys(CHAINS, NO_HEAD), "03": head_of(sealing)}
    assert (report.sealed, report.findings, report.failures) == (seal, (), ())
    assert report.tally.as_json() == {"Seals": 1}
    assert sealing.seals.keys == {seal.public_key: sealing.key.public()}
    public = sealing.key.private.public_key()
    public.verify(sealing.seals.signatures[0], seal.body.encode(), ec.ECDSA(SHA256()))


def test_each_seal_names_the_one_before(sealing: Sealing) -> None:
    """And reads only what came since."""
    sealing.run()
    sealing.next_day()
    sealing.ledger.append(SHARD)
    sealing.ledger.taken = 0
    sealing.run()
    assert sealing.last.previous == sealing.seals.seals[0].digest.hex()
    assert (sealing.last.number, sealing.last.heads["03"]) == (2, head_of(sealing))
    assert sealing.ledger.taken <= 3  # the sealed one, the new one, and the oldest that has names


@pytest.mark.parametrize(
    ("later", "sealed"),
    [
        (timedelta(hours=23), False),
        (DAY - timedelta(minutes=30, microseconds=1), False),
        (DAY - timedelta(minutes=30), True),
        (DAY * 9, True),
    ],
)
def test_it_is_sealed_daily(sealing: Sealing, later: timedelta, *, sealed: bool) -> None:
    """Runs come hourly: one that comes early does nothing but tell the gap, a late one does it."""
    sealing.run()
    sealing.now += later
    report = sealing.run()
    assert (report.sealed is not None, len(sealing.seals.seals)) == (sealed, 1 + sealed)
    assert report.gap == (timedelta(0) if sealed else later)


def test_by_hand_it_is_sealed_at_once(sealing: Sealing) -> None:
    """Whatever the hour."""
    sealing.run()
    assert sealing.run(by_hand=True).sealed
    assert [each.number for each in sealing.seals.seals] == [1, 2]


def test_of_two_at_once_one_seals(sealing: Sealing) -> None:
    """The other gives up quietly, and drops no name."""
    sealing.run()
    sealing.next_day()
    sealing.ledger.chains[SHARD].clear()
    sealing.ledger.append(SHARD, entry_at(LONG_AGO))
    sealing.seals.overtaken = True
    report = sealing.run()
    assert (report.sealed, report.gap, report.failures) == (None, DAY, ())
    assert [each.number for each in sealing.seals.seals] == [1, 2]
    assert sealing.ledger.named(SHARD) == [1]


def forged(batch: Batch) -> Batch:
    return Batch(**{**batch, "body": batch["body"].replace("manual", "canary")})


def test_a_broken_chain_is_sealed_all_the_same(sealing: Sealing) -> None:
    """It is counted, and told with its place; what is sound then is sealed the day after as usual."""
    chain = sealing.ledger.chains[SHARD]
    chain[1] = forged(chain[1])
    report = sealing.run()
    assert report.findings == ("shard 03, batch 2: hash is not that of the body: one of the two was edited",)
    assert report.tally.as_json() == {"Seals": 1, "BrokenChains": 1}
    assert sealing.last.heads["03"] == head_of(sealing)


def test_a_cut_tail_breaks_the_chain(sealing: Sealing) -> None:
    """What was sealed last must be there; the chain is sealed anew, and looked at from its beginning."""
    sealing.run()
    sealing.next_day()
    del sealing.ledger.chains[SHARD][1:]
    report = sealing.run()
    assert report.findings == ("shard 03, batch 3: the batch that was sealed last is missing, or another",)
    assert sealing.last.heads["03"] == NO_HEAD
    sealing.next_day()
    assert sealing.run().findings == ()
    assert sealing.last.heads["03"] == head_of(sealing)


def test_another_batch_in_the_place_of_the_sealed_one_is_found(sealing: Sealing) -> None:
    """A chain that was cut and goes on has the number again, and another hash."""
    sealing.run()
    sealing.next_day()
    sealing.ledger.chains[SHARD].pop()
    sealing.ledger.append(SHARD, entry_at(NOW, cause="wake-up"))
    sealing.ledger.append(SHARD)
    report = sealing.run()
    assert "shard 03, batch 3: the batch that was sealed last is missing, or another" in report.findings
    assert report.tally.counts[Count.BROKEN_CHAINS] == 1
    assert sealing.last.heads["03"] == head_of(sealing)


def test_what_follows_the_sealed_head_must_follow_it(sealing: Sealing) -> None:
    """A new batch that is chained to another is found."""
    sealing.run()
    sealing.next_day()
    sealing.ledger.append(SHARD)
    chain = sealing.ledger.chains[SHARD]
    body = chain[3]["body"].replace(chain[2]["hash"], "0" * 64)
    chain[3] = Batch(**{**chain[3], "body": body, "prev": "0" * 64})
    assert any("batch 4: prev is not the hash of batch 3" in each for each in sealing.run().findings)


def test_a_forged_number_is_no_head(sealing: Sealing) -> None:
    """Nor does one that no seal can hold keep the others from being sealed."""
    chain = sealing.ledger.chains[SHARD]
    chain.append(Batch(**{**chain[2], "seq": 10**30}))
    assert sealing.run().findings
    assert sealing.last.heads["03"] == head_of(sealing, 2)


def test_a_chain_that_cannot_be_read_keeps_its_head(sealing: Sealing) -> None:
    """The others are sealed; the failure is told in the end, and the next run catches up."""
    sealing.run()
    before = sealing.last
    sealing.next_day()
    for shard in (SHARD, 4):
        sealing.ledger.append(shard)
    sealing.ledger.broken.add(SHARD)
    report = sealing.run()
    assert report.failures == ("ThrottlingException",)
    with pytest.raises(ExceptionGroup) as raised:
        report.raise_failures()
    assert [str(each) for each in raised.value.exceptions] == ["seal: ThrottlingException"]
    assert sealing.last.heads["03"] == before.heads["03"]
    assert sealing.last.heads["04"].seq == 1
    sealing.ledger.broken.clear()
    sealing.next_day()
    assert sealing.run().findings == ()
    assert sealing.last.heads["03"] == head_of(sealing)


def test_of_two_first_runs_one_seals(sealing: Sealing) -> None:
    """The other has no seal to tell the time since, and says what it found all the same."""
    sealing.ledger.chains[SHARD][1] = forged(sealing.ledger.chains[SHARD][1])
    sealing.seals.overtaken = True
    report = sealing.run()
    assert (report.sealed, report.gap) == (None, timedelta(0))
    assert [each.split(":")[0] for each in report.findings] == ["shard 03, batch 2"]
    assert report.tally.as_json() == {"BrokenChains": 1}


def test_of_a_chain_ten_findings_are_told(sealing: Sealing) -> None:
    """A log line has an end."""
    for _ in range(10):
        sealing.ledger.append(SHARD)
    sealing.ledger.chains[SHARD] = [forged(each) for each in sealing.ledger.chains[SHARD]]
    assert len(sealing.run().findings) == seal_chain.MOST_FINDINGS


def test_what_stands_in_the_place_of_the_sealed_head_is_looked_at_too(sealing: Sealing) -> None:
    """If it was edited, that is told beside its being another."""
    sealing.run()
    sealing.next_day()
    chain = sealing.ledger.chains[SHARD]
    chain[2] = Batch(**{**forged(chain[2]), "hash": "0" * 64})
    report = sealing.run()
    assert {
        "shard 03, batch 3: the batch that was sealed last is missing, or another",
        "shard 03, batch 3: hash is not that of the body: one of the two was edited",
    } <= set(report.findings)
    assert sealing.last.heads["03"] == head_of(sealing)


def test_the_last_number_that_a_seal_can_hold_is_a_head(sealing: Sealing) -> None:
    """And of two batches with one number the first is."""
    chain = sealing.ledger.chains[SHARD]
    chain.append(Batch(**{**chain[2], "seq": 2**53 - 1}))
    chain.append(Batch(**{**chain[2], "seq": 2**53 - 1, "hash": "0" * 64}))
    sealing.run()
    assert sealing.last.heads["03"] == (2**53 - 1, chain[2]["hash"])


@pytest.mark.parametrize(("minutes", "sealed"), [(1, 1), (1.01, 3)])
def test_a_minute_before_the_end_nothing_more_is_read(sealing: Sealing, minutes: float, sealed: int) -> None:
    """What was read is sealed in it."""
    sealing.minutes_left = minutes
    sealing.run()
    assert sealing.last.heads["03"] == head_of(sealing, sealed - 1)


def test_what_was_read_in_time_is_sealed(sealing: Sealing) -> None:
    """The next run goes on there, and finds nothing wrong with that."""
    sealing.times_left = [15, 0.9]
    sealing.run()
    assert sealing.last.heads["03"] == head_of(sealing, 1)
    assert sealing.run(by_hand=True).findings == ()
    assert sealing.last.heads["03"] == head_of(sealing)


@pytest.fixture
def old() -> Sealing:
    """Two batches that are old enough, one with an entry that is not, and a young one."""
    sealing = Sealing()
    sealing.ledger.append(SHARD, entry_at(LONG_AGO), entry_at(LONG_AGO))
    sealing.ledger.append(SHARD, entry_at(LONG_AGO))
    sealing.ledger.append(SHARD, entry_at(LONG_AGO), entry_at(NOW - DAY))
    sealing.ledger.append(SHARD)
    return sealing


def test_old_names_are_dropped(old: Sealing) -> None:
    """Of batches all of whose entries are old enough; the seal says so before it is done."""
    report = old.run()
    assert old.ledger.named(SHARD) == [3, 4]
    assert (old.last.unnamed["03"], old.last.unnaming["03"]) == (0, 2)
    assert report.tally.counts[Count.UNNAMED_BATCHES] == 2
    old.next_day()
    assert old.run().findings == ()
    assert (old.last.unnamed["03"], old.last.unnaming["03"]) == (2, 2)
    old.next_day()
    old.ledger.taken = 0
    old.run()
    assert old.ledger.taken == 2  # the head, and the oldest that has names


def test_names_are_dropped_to_the_very_instant() -> None:
    """After the period, and not at its end."""
    for early, named in ((timedelta(0), [1]), (timedelta(microseconds=1), [])):
        sealing = Sealing()
        sealing.ledger.append(SHARD, entry_at(NOW - sealing.policy.names_retain - early))
        sealing.run()
        assert sealing.ledger.named(SHARD) == named


def test_what_was_not_sealed_keeps_its_names(old: Sealing) -> None:
    """Nothing is lost before it is proven to have been there."""
    old.times_left = [0.9]
    old.run()
    assert (old.last.heads["03"].seq, old.ledger.named(SHARD)) == (1, [2, 3, 4])


def test_an_interrupted_drop_is_gone_on_with(old: Sealing) -> None:
    """By the next run, from where it stopped: the seal tells how far, and what is done is seen."""
    old.ledger.stuck.add(SHARD)
    report = old.run()
    assert (report.failures, report.sealed) == (("ThrottlingException",), old.last)
    old.next_day()
    old.run()  # once more
    assert (old.last.unnamed["03"], old.last.unnaming["03"]) == (0, 2)
    old.ledger.stuck.clear()
    old.ledger.drop_names(old.ledger.chains[SHARD][0])  # so far had it come
    old.next_day()
    old.ledger.taken = 0
    assert old.run().tally.counts[Count.UNNAMED_BATCHES] == 1
    # read: the head, what may be old, and what is to be dropped, with the one behind
    assert old.ledger.taken == 1 + 3 + 2
    assert (old.last.unnamed["03"], old.last.unnaming["03"]) == (1, 2)
    assert old.ledger.named(SHARD) == [3, 4]


@pytest.mark.parametrize("minutes", [0.3, 1 / 3])
def test_no_time_no_drop(old: Sealing, minutes: float) -> None:
    """What is announced is done by a later run: twenty seconds before the end no name is dropped any more."""
    old.times_left = [15] * 6  # to read four batches, and to find two of them old enough
    old.minutes_left = minutes
    assert old.run().tally.counts[Count.UNNAMED_BATCHES] == 0
    assert old.last.unnaming["03"] == 2
    assert old.ledger.named(SHARD) == [1, 2, 3, 4]


def test_a_batch_that_cannot_be_read_goes_with_those_behind_it(old: Sealing) -> None:
    """How old it is, is not known; what came later is old enough. At the end it keeps its names."""
    chain = old.ledger.chains[SHARD]
    chain[0] = rehashed(chain[0], "canary")
    chain[3] = rehashed(chain[3], "[]")
    old.run()
    assert old.ledger.named(SHARD) == [3, 4]


def rehashed(batch: Batch, body: str) -> Batch:
    return Batch(**{**batch, "body": body, "hash": sha256(body.encode()).hexdigest()})


@pytest.mark.parametrize("body", ["canary", "\ud800", "long ago"])
def test_an_edited_batch_keeps_its_names(old: Sealing, body: str) -> None:
    """And those behind it: its instants are somebody's word, and no seal says that names may go by it."""
    chain = old.ledger.chains[SHARD]
    real = chain[2]["body"]
    edited = real.replace(to_text(NOW - DAY), to_text(LONG_AGO)) if body == "long ago" else body
    assert edited != real
    chain[2] = Batch(**{**chain[2], "body": edited})
    old.now += DAY * 30
    assert old.run().failures == ()
    assert (old.last.unnaming["03"], old.ledger.named(SHARD)) == (2, [3, 4])
    old.seals.seals = [replace(old.last, unnaming={**old.last.unnaming, "03": 3})]
    old.seals.signatures = [old.key.sign(old.last.digest)]  # they had it signed
    assert old.run(by_hand=True).failures == ()
    assert old.ledger.named(SHARD) == [3, 4]


def test_a_forged_seal_makes_no_names_go_early(old: Sealing) -> None:
    """Each batch is looked at again."""
    old.run()
    old.next_day()
    old.seals.seals = [replace(old.last, unnaming={**old.last.unnaming, "03": 4})]
    old.seals.signatures = [old.key.sign(old.last.digest)]  # they had it signed
    old.run()
    assert old.ledger.named(SHARD) == [3, 4]


def test_a_day_drops_no_more_than_it_can(old: Sealing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is for the days after."""
    monkeypatch.setattr(seal_chain, "MOST_AHEAD", 1)
    for named in ([2, 3, 4], [3, 4], [3, 4]):
        old.run()
        assert old.ledger.named(SHARD) == named
        old.next_day()


def test_names_outlast_what_they_may_be_asked_for() -> None:
    """Facts are rebuilt by names: they are kept as long as any rule, hold or backup, whatever the policy."""
    short = policy(ledger_retain=DAY)
    assert short.names_retain == max(short.longest_retain, short.max_hold) + 35 * DAY
    assert policy(ledger_retain=DAY, max_hold=DAY).names_retain == policy().longest_retain + 35 * DAY
    assert policy(max_hold=timedelta.max).names_retain == timedelta.max
    assert policy(ledger_retain=9999 * DAY).names_retain == 9999 * DAY


def test_a_new_key_is_named_by_the_next_seal(sealing: Sealing) -> None:
    """And kept beside the old one."""
    sealing.run()
    sealing.key = LocalKey()
    sealing.run(by_hand=True)
    assert len({each.public_key for each in sealing.seals.seals} & sealing.seals.keys.keys()) == 2


def test_another_key_s_seal_is_followed_if_there_is_no_other(sealing: Sealing) -> None:
    """Right once, after the key was replaced, and told; then this key's is followed, whatever is behind."""
    sealing.run()
    sealing.next_day()
    before, sealing.key = sealing.last, LocalKey()
    report = sealing.run()
    assert report.findings == ("seal 1: it is by another key than now's",)
    assert (sealing.last.number, sealing.last.previous) == (2, before.digest.hex())
    sealing.next_day()
    sealing.seals.add(replace(before, number=3), b"")
    report = sealing.run()
    assert report.findings == ("seal 3: it is by another key than now's",)
    assert (sealing.last.number, sealing.last.previous) == (4, sealing.seals.seals[1].digest.hex())


@pytest.mark.parametrize(("number", "followed"), [(10**9, True), (10**9 + 1, False)])
def test_another_key_s_seal_does_not_use_up_the_numbers(
    sealing: Sealing, number: int, *, followed: bool
) -> None:
    """Nobody here can tell whether it is a forgery."""
    sealing.run()
    theirs = replace(sealing.last, number=number)
    sealing.seals.seals, sealing.key = [theirs], LocalKey()
    sealing.run(by_hand=True)
    assert (sealing.last.number, sealing.last.previous) == (
        (number + 1, theirs.digest.hex()) if followed else (1, "")
    )


def test_of_several_seals_by_other_keys_the_highest_is_followed(sealing: Sealing) -> None:
    """As of one's own."""
    sealing.run()
    sealing.run(by_hand=True)
    before, sealing.key = sealing.last, LocalKey()
    assert len(sealing.run(by_hand=True).findings) == 2
    assert (sealing.last.number, sealing.last.previous) == (3, before.digest.hex())


def test_taken_numbers_are_passed_over(sealing: Sealing) -> None:
    """Also where there is no seal yet; what lies before the last seal is told no more; ten are named."""
    sealing.seals.foreign = dict.fromkeys([1, 2, 4, *range(100, 120)], "")
    report = sealing.run()
    assert (sealing.last.number, sealing.last.previous) == (3, "")
    assert (report.tally.counts[Count.FOREIGN_SEALS], len(report.findings)) == (23, 10)
    assert report.tally.counts[Count.BROKEN_CHAINS] == 0
    for each in range(100, 120):
        del sealing.seals.foreign[each]
    assert sealing.run(by_hand=True).findings == ("seal 4: it is no seal of this number",)
    assert sealing.last.number == 5
    assert sealing.run(by_hand=True).findings == ()


def test_a_seal_that_was_not_signed_is_not_followed(sealing: Sealing) -> None:
    """It names the key, and anybody can name it."""
    sealing.run()
    before = sealing.last
    sealing.seals.add(replace(before, number=2), b"canary")
    assert sealing.run(by_hand=True).findings == ("seal 2: its signature is not of its body",)
    assert (sealing.last.number, sealing.last.previous) == (3, before.digest.hex())


@pytest.mark.parametrize(
    "code", ["AccessDenied", "InvalidRequest", "InvalidObjectState", "KMS.DisabledException"]
)
def test_what_can_never_be_read_is_followed_by_nothing_new(sealing: Sealing, code: str) -> None:
    """It may be the very seal that counts; behind a sound one it is passed over."""
    sealing.seals.foreign = {1: code, 2: "AccessDenied"}
    with pytest.raises(CallFailedError, match="^GetObject: AccessDenied$"):
        sealing.run()
    sealing.seals.foreign = {}
    sealing.run()
    sealing.seals.foreign = {2: code}
    assert sealing.run(by_hand=True).findings == (f"seal 2: it cannot be read ({code})",)


def test_what_cannot_be_read_just_now_is_waited_for(sealing: Sealing) -> None:
    """Nothing is built upon the seal before."""
    sealing.run()
    sealing.seals.foreign = {2: "SlowDown"}
    with pytest.raises(CallFailedError, match="^GetObject: SlowDown$"):
        sealing.run(by_hand=True)


def test_a_run_that_comes_early_does_not_ring(sealing: Sealing) -> None:
    """What lies among the seals is counted once a day, with the seal that goes on behind it."""
    sealing.run()
    sealing.seals.foreign[9] = "AccessDenied"
    assert (sealing.run().findings, sealing.run().tally.as_json()) == ((), {})
    sealing.next_day()
    report = sealing.run()
    assert report.findings == ("seal 9: it cannot be read (AccessDenied)",)
    assert report.tally.counts[Count.FOREIGN_SEALS] == 1


def test_nothing_personal_is_sealed(sealing: Sealing) -> None:
    """Numbers, hashes and an instant."""
    sealing.run()
    assert "S-1" not in sealing.last.body
    assert isinstance(sealing.last, Seal)
