"""A house with one kind of reconstruction more, that does what a test wants of it."""
