-- Blobs: encrypted files in parts. Their bytes are no rows; they lie in a folder or at an object store, under names drawn here.

CREATE TABLE blob (
    key        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    object     BLOB    NOT NULL UNIQUE CHECK (length(object) = 16), -- names its objects, drawn by the relay
    bytes      INTEGER NOT NULL,
    write_hash BLOB    NOT NULL CHECK (length(write_hash) = 32),    -- SHA-256 of what a writer shows
    read_hash  BLOB    NOT NULL CHECK (length(read_hash) = 32),     -- SHA-256 of what a reader shows
    held       BLOB    NOT NULL,                                    -- a bit for each part that is durable
    committed  INTEGER NOT NULL CHECK (committed IN (0, 1)),
    expires_at INTEGER NOT NULL                                     -- milliseconds since 1970-01-01
) STRICT;

CREATE INDEX blob_by_expiry ON blob (expires_at);

-- What is deleted, until its objects are removed too.
CREATE TABLE blob_gone (
    object BLOB    PRIMARY KEY CHECK (length(object) = 16),
    parts  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
