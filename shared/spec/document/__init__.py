"""A document as text and as plain values, whatever its fields mean: YAML and JSON, paths, what none may hold."""
