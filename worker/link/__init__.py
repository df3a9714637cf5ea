"""The stream to a master: connecting again, and what waits to be sent."""
