"""SQLGlot only: steps, queries, write modes, checks and column lineage become statements here."""
