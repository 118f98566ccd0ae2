"""What a client does with a relay beyond frames: two hops. [REL-63 to REL-66]"""
