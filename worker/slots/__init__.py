"""The worker's slots: GPUs, and which trial has which."""
