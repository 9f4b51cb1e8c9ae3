"""A build that answers too early, to show that the fault tests would notice one."""
