"""Benchmarks: `python -m bench` runs all, `python -m bench NAME` one. docs/performance.md explains them."""


class Unmeasured(Exception):
    """There is nothing to compare with, or what came out is not what went in: such a figure means nothing."""
