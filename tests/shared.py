"""What may lie beside the repository: the whole message schema, samples, the contract.

What they guarantee is tested without them as well; where they are, they are held against it.
"""

from functools import cache
from pathlib import Path

import pytest
from lxml import etree

SHARED = Path(__file__).resolve().parents[2] / "shared"
SAMPLES = SHARED / "nexo" / "samples"
SCHEMA = SHARED / "nexo" / "sale-to-poi-3.1.xsd"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="../shared is not beside the repository"
)


@cache
def schema() -> etree.XMLSchema | None:
    """The message schema, where it is there."""
    return etree.XMLSchema(etree.parse(str(SCHEMA))) if SCHEMA.exists() else None
