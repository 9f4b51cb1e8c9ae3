"""Pages of lists over REST."""

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """Pages by key: newest first, at the same cost however deep."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = "-id"
