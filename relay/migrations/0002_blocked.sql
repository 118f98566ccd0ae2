-- Ids that were reported and that this relay's host has suspended.

CREATE TABLE blocked (
    id  BLOB    PRIMARY KEY CHECK (length(id) = 16),  -- a mailbox's (either of its two), a bundle's, or nothing's
    day INTEGER NOT NULL                              -- when: days since 1970-01-01
) STRICT, WITHOUT ROWID;
