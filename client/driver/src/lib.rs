//! Where the engine meets clock, disk and socket.
