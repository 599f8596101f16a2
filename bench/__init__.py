"""Benchmarks: `./dev bench quick`, `./dev bench cron`; where possible ratios, in the same run."""
