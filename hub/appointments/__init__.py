"""Takes bookings from an outside source, whichever it is, and reports back what became of them."""
