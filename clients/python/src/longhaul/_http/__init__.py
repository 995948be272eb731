"""Requests and answers, without saying how they travel: what is asked is decided once, for programs with and without asyncio."""
