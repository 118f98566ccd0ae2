"""How two devices come to share a secret, and how the first message travels. [SES-5] to [SES-10]"""
