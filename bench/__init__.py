"""Benchmarks: `./dev bench quick`. Ratios against a yardstick in the same run."""
