"""The picture of a search that a terminal shows while it runs: drawn by pure functions, shown by one."""
