"""The function that takes disputes: holds placed, extended and released."""
