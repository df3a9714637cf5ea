"""Examples of training code. They are not installed; a worker imports them from its working directory."""
