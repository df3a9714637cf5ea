"""The page: a web server that is a client of a master like any other. `rungmaster dashboard` starts it."""
