"""How a session carries messages: Double Ratchet, Braid, and their mixing. [SES-12] to [SES-23]"""
