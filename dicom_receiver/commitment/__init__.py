"""Storage commitment that peers ask of us (PS3.4 Annex J)."""
