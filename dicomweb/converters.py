"""What stands for UIDs in addresses."""


class UidConverter:
    """A UID in a path: digits and dots, at most 64 of them."""

    regex = r"[0-9][0-9.]{0,63}"

    def to_python(self, value: str) -> str:
        """Return the UID."""
        return value

    def to_url(self, value: str) -> str:
        """Return the UID."""
        return value


class BulkPathConverter:
    """Where a value is in a data set: tags and numbers of items with dots between."""

    regex = r"[0-9A-Fa-f]{8}(?:\.[1-9][0-9]{0,6}\.[0-9A-Fa-f]{8}){0,16}"

    def to_python(self, value: str) -> str:
        """Return the path."""
        return value.upper()

    def to_url(self, value: str) -> str:
        """Return the path."""
        return value
