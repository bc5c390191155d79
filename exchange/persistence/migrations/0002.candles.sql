-- What traded in each interval of time, of every width: reading weeks must not add up minutes, and
-- the wider ones are a third more rows. Only intervals with trades have a row: what lies between
-- repeats the last close, and who reads fills it in. Each row is a function of `trades` alone.
CREATE TABLE candles (
    market text NOT NULL,
    -- The interval, in microseconds.
    length bigint NOT NULL,
    time bigint NOT NULL,
    open bigint NOT NULL,
    high bigint NOT NULL,
    low bigint NOT NULL,
    close bigint NOT NULL,
    volume whole_number NOT NULL,
    quote_volume whole_number NOT NULL,
    trades bigint NOT NULL,
    taker_buy_volume whole_number NOT NULL,
    taker_buy_quote_volume whole_number NOT NULL,
    first_trade_id bigint NOT NULL,
    last_trade_id bigint NOT NULL,
    PRIMARY KEY (market, length, time)
) WITH (fillfactor = 80);

-- The last trade of each market that is in `candles`; changes in one transaction with them. Who
-- changes either locks this row first.
CREATE TABLE candle_checkpoints (
    market text PRIMARY KEY,
    trade_id bigint NOT NULL
) WITH (fillfactor = 50);
