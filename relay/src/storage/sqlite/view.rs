//! Reads everything the relay knows, beside a running relay or a stopped one. Writes nothing.
