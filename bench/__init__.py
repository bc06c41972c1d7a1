"""Benchmarks: what Lapse costs, mostly as ratios. `python -m bench` prints and writes them."""
