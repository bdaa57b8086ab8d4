"""Appointments from Publik: reads from and reports to w.c.s., and Chrono if its host allows it. The only httpx user."""
