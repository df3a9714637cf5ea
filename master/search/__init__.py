"""The search: pure state machines that decide which trial trains next, and how far."""
