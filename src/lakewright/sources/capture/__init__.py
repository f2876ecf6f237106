"""Change capture from PostgreSQL: what was done to tables, read from the server's log."""
