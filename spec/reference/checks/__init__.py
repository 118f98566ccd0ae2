"""What the reference is held against: the vectors of spec/vectors, the registry, and itself in long talks."""
