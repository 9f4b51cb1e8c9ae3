"""What goes out: transfers to peers, their order, tries and ends."""
