"""Who looked at which study, as this room tells it."""

from archive.viewing import ensure_view_recorded, record_view

__all__ = ["ensure_view_recorded", "record_view"]
