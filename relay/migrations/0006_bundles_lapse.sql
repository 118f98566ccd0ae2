-- Bundles lapse. Those of before count as published on the day of the upgrade.
ALTER TABLE bundle ADD COLUMN day_last_published INTEGER NOT NULL DEFAULT 0;  -- days since 1970-01-01

UPDATE bundle SET day_last_published = unixepoch() / 86400;

CREATE INDEX bundle_by_day ON bundle (day_last_published);
