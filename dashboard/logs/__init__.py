"""What trials print, as pages show it: each log that somebody looks at is read once, and kept by its newest lines."""
