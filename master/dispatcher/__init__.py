"""The dispatcher: one queue of commands, group commit, leases and the sharing of slots."""
