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
