-- Everything the relay knows. No table names a person, a device or an address.

CREATE TABLE mailbox (
    key             INTEGER PRIMARY KEY AUTOINCREMENT,
    receive_id      BLOB    NOT NULL UNIQUE CHECK (length(receive_id) = 16),
    send_id         BLOB    NOT NULL UNIQUE CHECK (length(send_id) = 16),
    kind            INTEGER NOT NULL CHECK (kind IN (0, 1)),               -- 0 pairwise, 1 contact
    owner           BLOB    NOT NULL CHECK (length(owner) = 32),           -- Ed25519, fresh for each mailbox
    capability_hash BLOB    NOT NULL CHECK (length(capability_hash) = 32), -- SHA-256 of what a sender shows
    lease           BLOB    CHECK (length(lease) = 16),                    -- of the reader's latest start
    day_last_used   INTEGER NOT NULL                                       -- days since 1970-01-01
) STRICT;

CREATE INDEX mailbox_by_day ON mailbox (day_last_used);

CREATE TABLE envelope (
    seq        INTEGER PRIMARY KEY,
    mailbox    INTEGER NOT NULL,  -- mailbox.key
    id         BLOB    NOT NULL,  -- the sender's choice, 16 bytes
    expires_at INTEGER NOT NULL,  -- milliseconds since 1970-01-01
    payload    BLOB    NOT NULL   -- opaque
) STRICT;

CREATE INDEX envelope_by_mailbox ON envelope (mailbox);
CREATE INDEX envelope_by_expiry ON envelope (expires_at);

-- Ids of envelopes that were acknowledged a short while ago, a row for each commit.
CREATE TABLE acknowledged (
    forget_at INTEGER NOT NULL,  -- milliseconds since 1970-01-01
    ids       BLOB    NOT NULL   -- mailbox.key (8 bytes, big-endian) and envelope.id (16 bytes), again and again
) STRICT;

CREATE TABLE bundle (
    key         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    owner       BLOB    NOT NULL CHECK (length(owner) = 32),
    main        BLOB    NOT NULL,  -- sealed
    last_resort BLOB    NOT NULL   -- sealed
) STRICT;

CREATE TABLE pair (
    key    INTEGER PRIMARY KEY AUTOINCREMENT,
    bundle INTEGER NOT NULL,  -- bundle.key
    part   BLOB    NOT NULL   -- sealed, handed out once
) STRICT;

CREATE INDEX pair_by_bundle ON pair (bundle);
