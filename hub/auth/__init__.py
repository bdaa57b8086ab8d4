"""Who somebody is and what they may do. The web side asks at its door; the queue's rules know nothing of it."""
