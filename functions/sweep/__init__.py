"""The function that finds what has no timer."""
