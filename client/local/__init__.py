"""A whole search on this machine: master, workers and a database, as child processes."""
