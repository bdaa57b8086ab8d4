"""A virtual printer: it reads ESC/POS, draws its paper as PNG files, and answers and fails like a real one."""
