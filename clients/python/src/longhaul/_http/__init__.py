"""Requests and answers, without saying how they travel: decided once, for programs with and without asyncio."""
