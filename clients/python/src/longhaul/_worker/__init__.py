"""How a worker works: leasing, running, reporting, heartbeats. `docs/workers.md` is the contract."""
