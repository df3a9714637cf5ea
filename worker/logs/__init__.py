"""What training prints, for people: parts of it on demand while it runs, all of it into the storage when it ends."""
