"""The internals of a worker: leases, functions, reports, heartbeats. `docs/workers.md` is the contract."""
