"""Benchmarks: `./dev bench quick`, `hooks`. Ratios against a yardstick in the same run."""
