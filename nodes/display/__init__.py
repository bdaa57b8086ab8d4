import os

# pygame greets on standard output, which is no place for it.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
