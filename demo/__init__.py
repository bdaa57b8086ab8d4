"""A morning in a town hall with real programs: the hub, the broker and eleven nodes, and a page that shows them all.

It only presses pins of the nodes and clicks the hub's pages: it knows nothing of the hub's code or its database.
"""
