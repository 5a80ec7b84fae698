"""What the service keeps: rows in a database, cases and plans as folders."""

from api.store.store import Store

__all__ = ["Store"]
