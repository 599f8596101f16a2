"""Benchmarks: `./dev bench NAME`; where possible ratios against a yardstick in the same run."""
