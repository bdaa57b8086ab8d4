"""Measurements, each against a floor of the same run: what the same machine needs for the bare minimum of the job."""
