"""One assignment's life: training, the worker's end of the local protocol, the log."""
