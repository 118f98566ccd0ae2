-- Keys that sign tokens blindly, in one week; their tokens are good in the next one too.
CREATE TABLE token_key (
    purpose INTEGER NOT NULL CHECK (purpose IN (0, 1, 2)),  -- 0 mailbox, 1 blob, 2 channel
    week    INTEGER NOT NULL,                               -- since 1970-01-01
    secret  BLOB    NOT NULL,                               -- PKCS #8
    PRIMARY KEY (purpose, week)
) STRICT;

-- How many tokens a credential was given. Which tokens, nobody knows.
CREATE TABLE admitted (
    holder    BLOB    NOT NULL CHECK (length(holder) = 32),  -- keyed hash of its subject
    purpose   INTEGER NOT NULL,
    given     INTEGER NOT NULL,
    forget_at INTEGER NOT NULL,                              -- milliseconds since 1970-01-01: its end
    PRIMARY KEY (holder, purpose)
) STRICT;

CREATE INDEX admitted_by_end ON admitted (forget_at);

-- Tokens that were spent, until their keys end.
CREATE TABLE spent (
    key       BLOB    NOT NULL CHECK (length(key) = 32),
    nonce     BLOB    NOT NULL CHECK (length(nonce) = 32),   -- SHA-256 of it
    forget_at INTEGER NOT NULL,
    PRIMARY KEY (key, nonce)
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_by_end ON spent (forget_at);
