"""What the protocol is made of and did not invent: each file is one published algorithm."""
