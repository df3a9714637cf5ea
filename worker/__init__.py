"""The worker: agent, slots, and the API that training code sees."""
