"""What the platform knows about its datasets: entries, schema versions, lineage, and events about them."""
