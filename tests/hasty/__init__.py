"""A receiver that waits for nothing as long as an ordinary one does; all else is the same."""
