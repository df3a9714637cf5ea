"""Commands that need the master's own code; the command line loads them by name."""
