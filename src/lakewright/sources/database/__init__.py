"""Databases as sources: tables and queries of PostgreSQL, MySQL, MariaDB and SQLite, landed as Parquet."""
