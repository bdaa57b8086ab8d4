"""A printer that is a program: it reads ESC/POS, draws its paper as PNG files, answers and fails like a real one."""
