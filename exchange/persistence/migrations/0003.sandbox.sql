-- How the database is served: play money (sandbox) or not. No row: never yet. Once it is false it
-- stays false: what was served for real is never handed out to anybody who asks.
CREATE TABLE serving (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    sandbox boolean NOT NULL
);
