"""The function that takes requests for erasure."""
