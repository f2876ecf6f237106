"""Backups of a whole project, recovery from them, and proof that what there is is whole."""
