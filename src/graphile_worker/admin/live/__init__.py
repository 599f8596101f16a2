"""What the pages show of a moving queue: one sampler for all viewers, and the streams to them."""
