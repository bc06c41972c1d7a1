"""The purge, the only function that erases."""
