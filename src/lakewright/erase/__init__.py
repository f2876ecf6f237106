"""Find people in everything that a project keeps, erase them, prove it, and hand out what is kept of them."""
