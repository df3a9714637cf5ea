"""What experiments look like now: one watch of each at the master, shared by all who look at it."""
