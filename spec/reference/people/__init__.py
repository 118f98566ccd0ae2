"""Who someone is, and what they publish to be found. [SES-1] to [SES-4], [SES-29]"""
