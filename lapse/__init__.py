"""Lapse for people: the operator's command line, the embedded local stack and the demo. Never deployed."""
