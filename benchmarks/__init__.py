"""Benchmarks. Each compares with a floor in the same run: the time that the machine needs for the bare minimum."""
