"""Hostile values as JSON, as TOML and as bytes: also what neither can say, such as lone surrogates."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any


class Raw(str):
    """What is written into JSON or TOML as it stands: tokens that no Python value is written as."""

    __slots__ = ()


def as_json(value: Any) -> str:
    """JSON, with what is raw left raw."""
    raw: list[str] = []

    def marked(each: Any) -> Any:
        match each:
            case Raw():
                raw.append(str(each))
                return f"@raw{len(raw) - 1}@"
            case dict():
                return {name: marked(inner) for name, inner in each.items()}
            case list():
                return [marked(inner) for inner in each]
            case _:
                return each

    written = json.dumps(marked(value))
    for number, each in enumerate(raw):
        written = written.replace(f'"@raw{number}@"', each)
    return written


def as_toml(document: Mapping[str, Any]) -> bytes:
    """TOML of one line for each key of the whole; tables within are inline."""
    lines = (f"{_quoted(name)} = {_toml(value)}" for name, value in document.items())
    return encoded("\n".join(lines))


def _toml(value: Any) -> str:
    match value:
        case Raw() | date():
            written = str(value)
        case str():
            written = _quoted(value)
        case bool():
            written = str(value).lower()
        case dict():
            written = ", ".join(f"{_quoted(name)} = {_toml(each)}" for name, each in value.items())
            written = f"{{ {written} }}"
        case list():
            written = "[" + ", ".join(_toml(each) for each in value) + "]"
        case _:
            written = str(value)
    return written


def encoded(text: str) -> bytes:
    """Any text as bytes, with its lone surrogates."""
    return text.encode(errors="surrogatepass")


def decoded(data: bytes) -> str:
    """The text of these bytes."""
    return data.decode(errors="surrogatepass")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
