//! Sotto's cryptography: identity, prekeys, PQXDH, ratchet and sealing. Pure.
