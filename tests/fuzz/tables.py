"""What hostile values are made of. The first of each is the tame one."""

from tests.fuzz.writing import Raw

CANARY = "canaryZq7"
CANARY_DIGITS = "271828"
"""Where only digits go."""


TEXTS = (
    CANARY,
    "",
    f"{CANARY}@example.org",
    f"<{CANARY}@example.org>",
    f" {CANARY} ",
    f"{CANARY}\n",
    f"{CANARY}\0",
    f"{CANARY}\ud800",
    f"{CANARY}\u202e\uff20\u0660\u00b2",
    f"{CANARY}%40example%2eorg",
    CANARY * 29,
    CANARY + "\U0001f600" * 240,
    f"{CANARY}#{{}}'\"",
    f"{{{CANARY}}}",
    f"{{shipment_id}}{CANARY}",
    f"007.{CANARY_DIGITS}0",
    f"-{CANARY_DIGITS}",
    f"1e{CANARY_DIGITS}",
    "0" * 200 + CANARY_DIGITS,
    "\u0661\u0662\u0663",
    "true",
    "null",
    "damaged",
)
IN_FILES = (
    "P3M",
    "P90D",
    "PT0S",
    f"P{CANARY_DIGITS}9999999D",
    "P\u0669\u0660D",
    "Europe/London",
    f"Europe/{CANARY}",
    "../../etc/passwd",
    "Europe",
    "shipped_at",
    "shipment_id",
    "legal_hold",
    "drop_ship",
    "address",
    "observe",
    "request",
    "epoch-seconds",
    "detail.id",
    "(" * 900,
    "!" * 999 + "a",
    f"`[{CANARY}`",
    f"{CANARY}()",
    "a[99999999999999999999]",
    "[::0]",
)
"""What stands in files of one's own."""
NUMBERS = (
    0,
    1,
    -1,
    2,
    True,
    2**53 + 1,
    2**63,
    10**18,
    int(CANARY_DIGITS),
    1_767_225_600,
    1_767_225_600_000,
    -(10**400),
    1.5,
    1e22,
    1e308,
    float("nan"),
    float("inf"),
    Raw("1" * 5000),
    Raw("-0"),
    Raw("1e999"),
    Raw("0.1e-400"),
)
RAW = (
    Raw("[" * 10_000),
    Raw("[" * 900 + "]" * 900),
    Raw('{"a":' * 900 + "1" + "}" * 900),
    Raw("0x" + "f" * 5000),
    Raw("2026-02-30"),
    Raw("0001-01-01"),
    Raw("9999-12-31"),
    Raw("1979-05-27T07:32:00.271828-07:00"),
    Raw("07:32:00"),
    Raw("'''" + CANARY),
    Raw("{ a = " * 400 + "1" + " }" * 400),
    Raw("nan"),
    Raw("\ud800"),
    Raw("/* */"),
)
YEARS = ("2026", "2000", "0001", "9999", "0000", "1999", "1969", "2028", "1883", "2100", "10000", "226")
DAYS = (
    *("08-25", "01-01", "12-31", "02-29", "02-30", "03-29", "10-25", "12-30"),
    *("00-10", "13-01", "06-31", "8-25", "W35-2", "\u0660\u0668-25"),
)
BETWEEN = ("T", "t", " ", "", "  ", "_")
CLOCKS = (
    *("10:15:00", "00:00:00", "23:59:59", "23:59:60", "12:30:60", "01:30:00", "02:30:00"),
    *("24:00:00", "10:15", "10:60:00"),
)
FRACTIONS = (
    *("", f".{CANARY_DIGITS}", f".{CANARY_DIGITS}1", ".9999999", ".000000000000000001"),
    *(".", ",5", "." + "9" * 19),
)
OFFSETS = (
    *("Z", "", "z", "+00:00", "-00:00", "+01:00", "+23:59", "-23:59"),
    *("+24:00", "+0100", "-14", "+01:00:30", "ZZ", " +01:00"),
)
EPOCHS = (
    *(f"1767225600.{CANARY_DIGITS}", "1767225600", "0", "-1", "-62135596800", "-62135596800.0000001"),
    *("253402300799.999999", "253402300799.9999991", "253402300800"),
    *("-62135596800000", "253402300799999.9", "99999999999999"),
    *("1e9", "0x1", "1_000", "+1", "1.", ".5", "-0", " 1", "1" * 19),
)
EDGES = (
    *("0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00Z", "0001-01-01"),
    *("9999-12-31T23:59:60Z", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
    *("9999-12-31T23:59:59-00:01", "9999-12-31"),
    *("2011-12-30", "2026-03-29T01:30:00", "2026-10-25T01:30:00", "2026-11-01T01:30:00"),
    *("2026-08-26T10:15:00Z", "2026-08-26T10:15:00.000001Z", "2027-01-01T00:00:00Z"),
    *("1999-12-31T23:59:59.999999Z", "2000-01-01T00:00:00Z", "2016-12-31T23:59:60Z"),
)
"""At the calendar's ends, where clocks change, and where an instant begins to be implausible."""
