"""All that is fuzzed, by name."""

from collections.abc import Mapping

from tests.fuzz import deciding, evidence, files, formats, incoming, stored
from tests.fuzz.target import Target

TARGETS: Mapping[str, Target] = {
    **incoming.TARGETS,
    **formats.TARGETS,
    **files.TARGETS,
    **stored.TARGETS,
    **deciding.TARGETS,
    **evidence.TARGETS,
}
