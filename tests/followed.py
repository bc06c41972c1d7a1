"""Chains as auditors follow them: verified, and compared with a head that was kept elsewhere."""

from collections.abc import Iterable, Mapping
from typing import Any

from lapse.ledger_audit import chains_to_follow
from shared.ledger import Finding, Head


def followed(shard: str, batches: Iterable[Mapping[str, Any]], head: Head | None = None) -> list[Finding]:
    """All that is found."""
    chain = chains_to_follow({shard: head} if head else {}, "kept head")[shard]
    return [*chain.follow(batches), *chain.end()]
