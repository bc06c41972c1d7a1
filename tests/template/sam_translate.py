"""Translates SAM to CloudFormation, offline. Runs in SAM CLI's environment, where the translator lives.

Reads `{"template": the file's text, "parameters": {...}}` from its input, writes the translated one as JSON.
"""

import json
import sys

from samcli.yamlhelper import yaml_parse  # type: ignore[import-not-found] # in another environment
from samtranslator.translator.transform import transform  # type: ignore[import-not-found] # likewise


class NoManagedPolicies:
    """The translator asks IAM for AWS's managed policies; this template is to use none."""

    def load(self) -> dict[str, str]:
        """No policy at all."""
        return {}


def main() -> None:
    """Translate."""
    given = json.load(sys.stdin)
    template = yaml_parse(given["template"])
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/artifact.zip"  # as `sam deploy` leaves it
    json.dump(transform(template, given["parameters"], NoManagedPolicies()), sys.stdout)


if __name__ == "__main__":
    main()
