"""Experiments: trials and leases around a searcher, as a pure state machine."""
