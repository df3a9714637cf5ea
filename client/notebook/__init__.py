"""An experiment in a notebook: what it looks like there, its trials and curves as frames, its figures."""
