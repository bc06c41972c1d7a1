"""What the words of a report mean, for readers who did not build Lapse."""

from collections.abc import Mapping

GLOSSARY: Mapping[str, str] = {
    "Anchor": "The instant that starts the clock of a record: when it shipped, or when somebody left.",
    "Clause": "Where in the privacy policy the rule was promised.",
    "Dead letter": (
        "A message that was refused, or failed five times. It is kept for 14 days, for somebody to mend."
    ),
    "Due": "When a rule says that its fields are to go: the anchor and the time that the rule retains them.",
    "Evidence": (
        "An entry of the ledger. “Erased” means that the database acknowledged the removal of the fields."
    ),
    "Finding": "Something by which the verifier sees that the ledger was changed or damaged; with its place.",
    "Found absent": "The fields were gone already when they were looked at. By whose hand is unknown.",
    "Head": (
        "The last hash of a chain. Whoever keeps it elsewhere can tell later that nothing before it changed."
    ),
    "Hold": "A dispute or the like that keeps a record's fields until a given day, whatever the rules say.",
    "Implausible": "The record's date cannot be read, or is absurd. Such a record is never erased by itself.",
    "Ledger": "Evidence in 16 chains, each batch of which holds the hash of the one before it.",
    "Observed": "Due, by a rule that only observes: it reports, and erases nothing.",
    "Overdue": "Due 15 minutes ago or more, and its timer still stands: the fields may still be there.",
    "Purge": "What erases. It comes by itself every five minutes, and when something is due.",
    "Re-added": "Erased before, and found again: somebody wrote the fields back. They are erased again.",
    "Record": "An item of a configured live table. Its name here is its key.",
    "Seal": "A signature over the heads of all chains, kept where nobody can change it.",
    "Sweep": "The daily search of the tables for what should have a timer and has none.",
    "Unreadable": "A row of Lapse's own tables that cannot be read: what it says is unknown.",
    "Waiting": "A record with fields that are not due yet.",
}
