"""Pages of lists over REST."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


class KeyPages(CursorPagination):
    """Pages by key: a page begins where the last one ended, at the same cost however deep."""

    page_size = 50
    page_size_query_param = "page_size"
    page_size_query_description = "Rows a page; more than the most are the most."
    max_page_size = 200
    ordering = "-id"

    def decode_cursor(self, request: Request) -> Any:
        """Return the place that the address names; one that nobody was given is not there."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            try:
                self.read_key(str(cursor.position))
            except (ValueError, OverflowError):
                raise NotFound(self.invalid_cursor_message) from None
        return cursor

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return how a page is described: where its neighbours are, and its rows."""
        place = {
            "type": ["string", "null"],
            "format": "uri",
            "description": "Follow it as it is; null at the end.",
            "example": "https://noctis.example/api/v1/rows/?cursor=cD00ODY%3D",
        }
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": place, "previous": place, "results": schema},
        }

    def read_key(self, text: str) -> Any:
        """Return the key that a cursor names; raises ValueError for anything else."""
        return uuid.UUID(text)


class NumberPages(KeyPages):
    """Pages of rows that have numbers."""

    def read_key(self, text: str) -> int:
        """Return the number."""
        number = int(text)
        if not 0 <= number < 2**63:
            raise ValueError("no number of a row")
        return number
