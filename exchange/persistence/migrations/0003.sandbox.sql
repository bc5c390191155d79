-- Whether all that was ever served from this database was play money. One row, from the first
-- start on; false is for ever.
CREATE TABLE service (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    sandbox boolean NOT NULL
);
