"""The master: search, experiments, ledger, dispatcher and services."""
