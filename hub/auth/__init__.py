"""Authentication and roles. The web side checks both in `hub.web.door`; the queue's rules know nothing of them."""
