//! The name of a session: the hash of the handshake that began it.

use sotto_outer::fixed_bytes;

fixed_bytes!(
    /// SHA-256 over label ‖ encoded handshake. Both sides know it, nobody else does; it is not sent.
    SessionId, 32
);
