"""Pages of lists over REST."""

from accounts.api_pages import KeyPages


class NewestFirst(KeyPages):
    """Newest first."""
