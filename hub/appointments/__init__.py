"""Bookings from outside, and what becomes of them told back: whatever their source is."""
