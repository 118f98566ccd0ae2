-- Channels: logs cut into generations. What is in an entry only its readers know.

CREATE TABLE channel (
    key           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    owner         BLOB    NOT NULL CHECK (length(owner) = 32),  -- Ed25519, fresh for each channel; closes it
    generation    INTEGER NOT NULL,                             -- the current one
    closed        INTEGER NOT NULL CHECK (closed IN (0, 1)),
    next_seq      INTEGER NOT NULL,                             -- the next entry's number
    entries       INTEGER NOT NULL,                             -- how many it holds
    bytes         INTEGER NOT NULL,                             -- and their bytes
    day_last_used INTEGER NOT NULL                              -- days since 1970-01-01
) STRICT;

CREATE INDEX channel_by_day ON channel (day_last_used);

-- The current generation of each channel, and ended ones as long as an entry of theirs is kept.
CREATE TABLE generation (
    channel    INTEGER NOT NULL,                                  -- channel.key
    number     INTEGER NOT NULL,
    verify_key BLOB    NOT NULL CHECK (length(verify_key) = 32),  -- Ed25519, the writers'
    read_hash  BLOB    NOT NULL CHECK (length(read_hash) = 32),   -- SHA-256 of what a reader shows
    last_seq   INTEGER,                                           -- of the entry that ended it
    PRIMARY KEY (channel, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
    key        INTEGER PRIMARY KEY,
    channel    INTEGER NOT NULL,  -- channel.key
    seq        INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    id         BLOB    NOT NULL,  -- the writer's choice, 16 bytes
    expires_at INTEGER NOT NULL,  -- milliseconds since 1970-01-01
    ends       INTEGER NOT NULL,  -- 1: the last one of its generation
    bytes      BLOB    NOT NULL   -- opaque
) STRICT;

CREATE UNIQUE INDEX entry_by_seq ON entry (channel, generation, seq);
CREATE UNIQUE INDEX entry_by_id ON entry (channel, id);
CREATE INDEX entry_by_expiry ON entry (expires_at);
