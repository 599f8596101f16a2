"""HTTP around the service: who may do what, from where, how much, and how a refusal is told."""
