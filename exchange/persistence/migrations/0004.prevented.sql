-- Trades of an account with itself that did not take place.
CREATE TABLE prevented_matches (
    id bigint NOT NULL,
    market text NOT NULL,
    sequence bigint NOT NULL,
    time bigint NOT NULL,
    taker_order_id bigint NOT NULL,
    maker_order_id bigint NOT NULL,
    account_id bigint NOT NULL,
    taker_side text NOT NULL,
    price bigint NOT NULL,
    quantity bigint NOT NULL,
    mode text NOT NULL,
    -- What it cost each of both orders; of a taker by quote quantity nobody knows.
    taker_lost bigint,
    maker_lost bigint NOT NULL,
    PRIMARY KEY (market, id)
);

CREATE INDEX prevented_matches_of_account ON prevented_matches (account_id, market, id);

CREATE INDEX prevented_matches_of_taker_order ON prevented_matches (taker_order_id);

CREATE INDEX prevented_matches_of_maker_order ON prevented_matches (maker_order_id);

-- The last number of them, beside a market's other counters.
ALTER TABLE markets ADD COLUMN prevented_id bigint NOT NULL DEFAULT 0;
