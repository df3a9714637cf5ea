"""The figures, one file for each kind: `applies` says why there is nothing to show, `draw` draws where there is."""
