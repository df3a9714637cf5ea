"""The ledger: everything durable, in a SQL database."""
