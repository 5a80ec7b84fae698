"""All 153 councils in one run: ``python -m sufficiency.england`` (see docs/england.md)."""
