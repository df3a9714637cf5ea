"""What master, worker and client share: the spec, the search space, conversions, errors."""
