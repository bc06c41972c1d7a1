"""The sealing function."""
