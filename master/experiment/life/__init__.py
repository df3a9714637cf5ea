"""An experiment's life: how it begins, is restored, steered and extended, ends, and what stays of it."""
