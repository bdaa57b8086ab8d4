"""A morning in a town hall with real programs: the hub, the broker, eleven nodes, and a Publik to test against.

A page shows them all. The demo only presses pins, holds codes before the dispenser, clicks the hub's pages and books as
citizens do: it knows nothing of the hub's code or its database.
"""
