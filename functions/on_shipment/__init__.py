"""Events of the order system."""
