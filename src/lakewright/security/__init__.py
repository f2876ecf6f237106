"""Keys, the vault of tokens, the audit of who revealed what, and where personal data is."""
