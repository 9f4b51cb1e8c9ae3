"""Rules that send what came in on to peers."""
