"""Is this teacher suitable: the operating band, the choice, the diagnosis, CKA."""
