"""JSON Schema of policy files, for editors; made from what reads them, kept in docs/policy.schema.json."""

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from shared.instants import DAY
from shared.policy_text import PolicyText

_NAME = {"type": "string", "minLength": 1}
_TYPES: dict[str, JsonSchemaValue] = {
    "FieldPath": {
        "description": "An attribute's name, or a list of names from the top of the item down.",
        "anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1}],
        "examples": ["email", ["delivery", "phone"]],
    },
    "Period": {
        "description": "An ISO 8601 period of weeks, or of days, hours and minutes. No months and no years.",
        "type": "string",
        "pattern": r"^P(?!$)(\d+W|(\d+D)?(T(?=\d)(\d+H)?(\d+M)?)?)$",
        "examples": ["P90D", "P2W", "PT36H"],
    },
    "Template": {
        "description": "Text with {field} for fields of the event; {N = …} makes it a number.",
        "anyOf": [
            _NAME,
            {
                "type": "object",
                "properties": {"S": _NAME, "N": _NAME},
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ],
        "examples": ["{shipment_id}", "ORDER#{shipment_id}", {"N": "{order_no}"}],
    },
    "Zone": {
        "description": "A time zone of the IANA database.",
        "type": "string",
        "examples": ["Europe/London", "UTC"],
    },
}
"""What the types' own validators check, as far as a schema can say it."""


class _AsWritten(GenerateJsonSchema):
    """As TOML writes it: without nulls, periods without years; and without titles that repeat the keys."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if (key, value) != ("default", None)}

    def encode_default(self, dft: object) -> object:
        return f"P{dft // DAY}D" if isinstance(dft, timedelta) else super().encode_default(dft)

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 -- pydantic's signature
        return False


def policy_schema() -> dict[str, Any]:
    """The schema, as a JSON object. It refuses less than `read_policy`, which alone sees conflicts."""
    made = PolicyText.model_json_schema(schema_generator=_AsWritten)
    types = {name: {**schema, **_TYPES.get(name, {})} for name, schema in made.pop("$defs").items()}
    for each in types.values():
        each.pop("title", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:lapse:policy:1",
        **made,
        "title": "Lapse policy",
        "description": "Retention promises: which fields of which records are erased when. See policy.md.",
        "$defs": types,
    }
