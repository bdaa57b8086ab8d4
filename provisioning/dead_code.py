"""Finds unused code: functions, methods, properties, classes, imports and unreachable lines.

Vulture finds it. Code that only a template uses counts as used, and so does code that a library calls by name. Fields
and constants are not checked: the contract of a wire message, a table or a document determines which ones it has.
"""

import re
import sys
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hub", "nodes", "protocol", "demo", "provisioning", "benchmarks", "tests")
# Code that tests use counts as used. What tests define is not reported: pytest and Hypothesis call it.
TESTS = ROOT / "tests"
CONFIDENCE = 60
CONTRACTS = {"variable", "attribute"}
# Called by a library, by these names.
CALLED_BY_NAME = {
    "capture_signals",  # uvicorn
    "send_400_response",
    "_configure_usb",  # python-escpos
    "upgrade",  # Alembic
    "downgrade",
    "load_bytecode",  # Jinja
    "dump_bytecode",
    "self_group",  # SQLAlchemy
    "_one_of_json",
    "_one_of_array",
    "_leads_to_one",  # Pydantic
}


def main() -> int:
    vulture = Vulture()
    vulture.scavenge([ROOT / package for package in PACKAGES if (ROOT / package).is_dir()])
    used = CALLED_BY_NAME | in_templates()
    dead = [
        found
        for found in vulture.get_unused_code(min_confidence=CONFIDENCE)
        if found.typ not in CONTRACTS and found.name not in used and TESTS not in Path(found.filename).parents
    ]
    for found in dead:
        print(f"{Path(found.filename).relative_to(ROOT)}:{found.first_lineno}: unused {found.typ} {found.name}")
    return 1 if dead else 0


def in_templates() -> set[str]:
    """Every word of every template, and so every name that one uses."""
    templates = [*ROOT.glob("hub/web/templates/**/*.html"), *ROOT.glob("demo/page/*.html")]
    return {word for file in templates for word in re.findall(r"[A-Za-z_]\w*", file.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    sys.exit(main())
