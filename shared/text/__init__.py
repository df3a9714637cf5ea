"""Text for people: what is safe to show, how commands print and log, suggestions, failures in short."""
