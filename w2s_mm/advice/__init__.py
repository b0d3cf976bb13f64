"""Is this teacher suitable: the operating band, CKA, diagnosis."""
