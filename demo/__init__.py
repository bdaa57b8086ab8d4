"""A morning in a town hall with real programs: the hub, the broker, eleven nodes and a test Publik.

A page shows them all. The demo only presses pins, scans codes at the dispenser, clicks on the hub's pages and books as
citizens do. It does not use the hub's code or its database.
"""
