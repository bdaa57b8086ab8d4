"""Publik's appointments: w.c.s. asked and told, Chrono where its host allows it. Only here is httpx known."""
