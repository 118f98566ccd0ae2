"""A session: the X25519 ratchet, the Braid, and their mixing. [SES-12] to [SES-23], [SES-34] to [SES-42]"""
