"""The Python door: what notebooks and programs use."""
