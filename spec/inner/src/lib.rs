//! What only clients can read: identity, prekeys, links and message contents.
