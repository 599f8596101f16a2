"""asyncio building blocks that know nothing about jobs."""
