"""`lapse sources try`: what an event becomes, or why nothing, without showing the payload."""

import json
import re
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lapse.sources_try import app, try_event
from shared.sources_file import shipped_sources

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "events" / "sources"
PERSONAL = ("marit", "7946", "Exampleton")


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["try", *map(str, arguments)])
    return result.exit_code, result.output


def test_shows_the_contract_events() -> None:
    """What comes out is shown, and the command succeeds."""
    code, output = run(SAMPLES / "woocommerce-order-completed.json")
    assert code == 0
    assert '{"v": 1, "shipment_id": "7301", "shipped_at": "2026-08-25T10:15:00Z"}' in output


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_never_shows_the_payload(path: Path) -> None:
    """Neither form of output holds personal data; what must become nothing ends with 1."""
    for arguments in ([path], [path, "--json"]):
        code, output = run(*arguments)
        assert code == int(path.stem.endswith(".nothing"))
        assert not [value for value in PERSONAL if value.casefold() in output.casefold()]


def test_names_the_nearest_entry_and_the_condition() -> None:
    """Where nothing takes the event, the entry that came nearest comes first, with what it asks."""
    trial = try_event(SAMPLES / "woocommerce-order-processing.nothing.json", shipped_sources())
    nearest = trial.misses[0]
    assert (nearest.entry, nearest.failed) == ("woocommerce-order-completed", "condition")
    assert nearest.wanted == "detail.status == 'completed'"
    _, output = run(SAMPLES / "woocommerce-order-processing.nothing.json")
    assert "near: woocommerce-order-completed: not met: condition: detail.status == 'completed'" in output


def test_names_the_expression_that_found_nothing(tmp_path: Path) -> None:
    """A record that fails is shown with the expression to look at."""
    file = tmp_path / "body.json"
    file.write_text('{"number": 7}')
    code, output = run(file, "--source", "webhook/shopify", "--detail-type", "fulfillments/create")
    assert code == 1
    assert "shopify-fulfillment-created: nothing: id_missing (1 x): detail.order_id" in output


def test_wraps_a_bare_body(tmp_path: Path) -> None:
    """A webhook's body is tried as it came, and its long numbers stay exact."""
    body = json.loads((SAMPLES / "shopify-fulfillment-created.json").read_text())["detail"]
    file = tmp_path / "body.json"
    file.write_text(json.dumps(body))
    assert "--source" in run(file)[1]
    code, output = run(file, "--source", "webhook/shopify", "--detail-type", "fulfillments/create", "--json")
    assert code == 0
    assert json.loads(output)["outcomes"][0]["events"][0]["detail"]["shipment_id"] == "9007199254740995"


def test_takes_a_file_of_own_entries(tmp_path: Path) -> None:
    """Other entries than the shipped ones can be tried; a mistake in them is shown."""
    entries = tmp_path / "own.toml"
    entries.write_text("version = 1\n")
    code, output = run(SAMPLES / "woocommerce-order-completed.json", "--sources", entries)
    assert (code, "no_entry" in output) == (1, True)
    entries.write_text("version = 2\n")
    code, output = run(SAMPLES / "woocommerce-order-completed.json", "--sources", entries)
    assert (code, "version: " in output) == (2, True)


NO_JSON = {
    "text": "Hush {",
    "deep": "[" * 200_000,
    "huge": '{"id": ' + "7" * 5000 + "}",
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json(tmp_path: Path, name: str) -> None:
    """A file that cannot be read is said to be none, without quoting it."""
    file = tmp_path / "body.json"
    file.write_bytes(NO_JSON[name].encode(errors="surrogatepass"))
    code, output = run(file)
    assert code == 2
    assert "is not JSON" in output
    assert "Hush" not in output
    assert run(tmp_path / "missing.json")[0] == 2


def test_wrapping_needs_both_names() -> None:
    """Half an envelope is a mistake of the caller's."""
    assert run(SAMPLES / "okta-login.nothing.json", "--source", "webhook/okta")[0] == 2


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    """The worked example in docs/sources.md does what is printed there."""
    text = (ROOT / "docs" / "sources.md").read_text()
    (tmp_path / "parcel.json").write_text(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
    entry = textwrap.dedent(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0])
    (tmp_path / "own.toml").write_text(f"version = 1\n{entry}")
    ((options, expected),) = re.findall(r"lapse sources try parcel\.json (.*)\n *(.*)", text)
    _, output = run(tmp_path / "parcel.json", "--sources", tmp_path / "own.toml", *options.split())
    assert output.strip() == expected
