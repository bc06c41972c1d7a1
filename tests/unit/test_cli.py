"""`lapse policy …`, as an operator types it."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lapse.cli import app
from lapse.policy_schema import policy_schema

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "shared" / "policy.toml"
DIGEST = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


def run(*arguments: object, columns: int = 100) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": str(columns)})
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A policy with two mistakes."""
    text = (
        SHIPPED.read_text()
        .replace('retain = "P90D"', 'retain = "P3M"', 1)
        .replace('"telephone"', '"phones[0]"', 1)
    )
    file = tmp_path / "broken.toml"
    file.write_text(text)
    return file


def test_check_shows_the_rules() -> None:
    """A usable policy ends with 0, and shows each rule's terms unbroken at 100 columns."""
    code, output, _ = run("policy", "check", SHIPPED)
    assert code == 0
    for text in (
        "Policy PP001, updated 2022-11-06",
        DIGEST,
        *("delivery-contact", "§2.2.1", "enforce"),
        *("Shipments", "shipment_id={shipment_id}", "if drop_ship=true"),
        *("shipment events", "from shipped_at (rfc3339)", "or latest fact shipped", "90 days, elapsed"),
        *("contact_number", "email", "address"),
        *("leaver events", "from earliest fact left", "unless returned since", "telephone"),
        *("delivery-erasure", "contact-erasure", "§9", "request events", "at once", "company", "job_title"),
    ):
        assert text in output
    assert max(map(len, output.splitlines())) <= 100


@pytest.mark.parametrize("columns", [60, 100, 140])
def test_check_cuts_nothing_off(columns: int, tmp_path: Path) -> None:
    """However narrow the terminal, a name is wrapped rather than shortened, and is no markup."""
    long_name = "x" * 30 + "y" * 30
    file = tmp_path / "policy.toml"
    file.write_text(SHIPPED.read_text().replace('"telephone"', f'"{long_name}"').replace('"PP001"', '"PP-1"'))
    code, output, _ = run("policy", "check", file, columns=columns)
    assert code == 0
    assert (output.count("x"), output.count("y")) >= (30, 30)
    assert "…" not in output


def test_check_shows_what_differs_from_the_usual(tmp_path: Path) -> None:
    """Numeric keys, nested paths, zones and whole days can be told from the usual."""
    own = SHIPPED.read_text()
    for old, new in {
        'shipment_id = "{shipment_id}"': 'pk = "ORDER#{shipment_id}", sk = { N = "{order_no}" }',
        "match = { drop_ship = true }": 'match = { order = { "[bold]" = 7 } }',
        'attribute = "shipped_at"': 'attribute = ["delivery", "day"]',
        'anchor_format = "rfc3339"': 'anchor_format = "date"',
        'counting = "elapsed"': 'counting = "calendar-days"',
        'retain = "P90D"': 'retain = "P1W"',
        'mode = "enforce"': 'mode = "observe"',
    }.items():
        assert old in own
        own = own.replace(old, new)
    file = tmp_path / "policy.toml"
    file.write_text(own)
    _, output, _ = run("policy", "check", file, columns=140)
    for text in (
        *("pk=ORDER#{shipment_id}", "sk={order_no} (number)", "if order.[bold]=7", "observe"),
        *("from delivery.day (date in Europe/London)", "7 days, calendar-days in Europe/London"),
    ):
        assert text in output


def test_check_shows_how_a_request_names_its_records(tmp_path: Path) -> None:
    """By the key attributes themselves, with no template, and no clock but "at once"."""
    file = tmp_path / "policy.toml"
    request = SHIPPED.read_text().rpartition("[[rules]]")[2]
    head = 'version = 1\nid = "T"\nupdated = 2026-01-01\ntimezone = "UTC"\n'
    key = 'key = { pk = "C#{no}", no = { N = "{no}" } }'
    file.write_text(f"{head}[[rules]]{request.replace('key = { contact_id = "{contact_id}" }', key)}")
    code, output, _ = run("policy", "check", file, columns=140)
    shown = " ".join(output.split())
    assert (code, "pk at once" in shown, "no (number)" in shown) == (0, True, True)
    assert not [text for text in ("{", "elapsed", "fact") if text in shown]


def test_check_says_what_is_wrong_and_where(broken: Path) -> None:
    """An unusable policy ends with 1 and a line for each problem, and nothing else."""
    code, output, _ = run("policy", "check", broken)
    assert code == 1
    retain, erase = output.splitlines()
    assert "retain: months and years have no fixed length" in retain
    assert "erase.0: list indexes and wildcards are not supported" in erase


def test_check_for_programs(broken: Path) -> None:
    """With --json there is one object: the problems, or the digest and the policy as written."""
    code, output, _ = run("policy", "check", SHIPPED, "--json")
    found = json.loads(output)
    assert (code, found["problems"], found["digest"]) == (0, [], DIGEST)
    assert found["policy"]["updated"] == "2022-11-06"
    rules = ["delivery-contact", "leaver-contact", "delivery-erasure", "contact-erasure"]
    assert [rule["id"] for rule in found["policy"]["rules"]] == rules
    code, output, _ = run("policy", "check", broken, "--json")
    assert (code, len(json.loads(output)["problems"])) == (1, 2)


def test_a_missing_file_is_a_wrong_call(tmp_path: Path) -> None:
    """What was never read is not called a broken policy: the exit code is another."""
    assert run("policy", "check", tmp_path / "none.toml")[0] == 2


def test_attributes_are_one_line_for_sam(broken: Path) -> None:
    """Only the parameters are on stdout, for it becomes part of another command; problems go to stderr."""
    code, output, _ = run("policy", "attributes", SHIPPED)
    assert code == 0
    assert output == (
        "ViewAttributes=contact_id,drop_ship,legal_hold,shipment_id,shipped_at "
        "ErasedAttributes=company,contact_number,email,job_title,name,telephone\n"
    )
    code, output, errors = run("policy", "attributes", broken)
    assert (code, output) == (1, "")
    assert "retain: months" in errors


def test_schema_is_printed_whole() -> None:
    """What is printed is the schema, whatever the terminal's width."""
    code, output, _ = run("policy", "schema", columns=40)
    assert code == 0
    assert json.loads(output) == policy_schema()


def test_the_groups_of_commands_are_there() -> None:
    """Policy and sources, each with its commands."""
    assert "try" in run("sources", "--help")[1]
    assert "attributes" in run("policy", "--help")[1]


@pytest.mark.parametrize(
    "command",
    [
        *("status", "explain", "hold", "release", "holds", "erase", "requests", "correct"),
        *("pause", "resume", "sweep", "purge", "ledger verify"),
        *("preflight", "dead-letters", "send"),
    ],
)
def test_the_operators_commands_answer_programs_too(command: str) -> None:
    """Each can print JSON, and says what it is for."""
    code, output, _ = run(*command.split(), "--help")
    assert (code, "--json" in output) == (0, True)
    assert command.split(maxsplit=1)[0] in run("--help")[1]


def test_the_stack_and_the_policy_are_named_before_the_command() -> None:
    """The stack also by an environment variable."""
    output = run("--help")[1]
    assert not [text for text in ("--stack", "LAPSE_STACK", "--policy") if text not in output]


def test_runs_from_any_directory(tmp_path: Path) -> None:
    """The script finds its own code, takes files as seen from where one is, and calls itself `lapse`."""
    (tmp_path / "shared.py").touch()  # must not be taken for ours
    (tmp_path / "lapse.py").touch()
    (tmp_path / "policy.toml").write_bytes(SHIPPED.read_bytes())
    command = [str(ROOT / "bin" / "lapse"), "policy", "attributes"]
    for file, code, expected in (
        ("policy.toml", 0, "ViewAttributes="),
        ("none.toml", 2, "Usage: lapse policy"),
    ):
        found = subprocess.run([*command, file], cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 -- our own script
        assert (found.returncode, expected in found.stdout + found.stderr) == (code, True)
