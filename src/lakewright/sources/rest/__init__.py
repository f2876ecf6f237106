"""REST sources: requests to an API that answers with JSON, and what becomes of the answers."""
