"""The way in for foreign events."""
