-- The whole of an exchange: who owns what, what is open, and everything that ever happened.
--
-- Prices are ticks, quantities lots, money atoms, times microseconds since 1970 in UTC: whole
-- numbers everywhere, as in the program. The hot tables (orders, order_events, trades, postings)
-- have no foreign keys: one writer fills them from checked facts, and a look-up per row would
-- cost more than the row.

-- Any whole number of ours. numeric takes NaN, which passes every CHECK (x >= 0); an infinity does
-- not fit 60 digits.
CREATE DOMAIN whole_number AS numeric(60, 0) CHECK (VALUE <> 'NaN');

-- One row. `position` counts the committed batches, `epoch` the servers that ever opened the
-- database: a writer changes nothing unless both are what it expects.
CREATE TABLE journal (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    position bigint NOT NULL DEFAULT 0,
    epoch bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

INSERT INTO journal DEFAULT VALUES;

CREATE TABLE currencies (
    symbol text PRIMARY KEY,
    name text NOT NULL,
    scale smallint NOT NULL CHECK (scale BETWEEN 0 AND 18)
);

-- A market's rules, and the counters that must go on where they stopped.
CREATE TABLE markets (
    symbol text PRIMARY KEY,
    code text NOT NULL UNIQUE,
    base text NOT NULL REFERENCES currencies,
    quote text NOT NULL REFERENCES currencies,
    tick whole_number NOT NULL,
    price_scale smallint NOT NULL,
    lot whole_number NOT NULL,
    quantity_scale smallint NOT NULL,
    lot_atoms whole_number NOT NULL,
    tick_lot_atoms whole_number NOT NULL,
    min_quantity bigint NOT NULL,
    max_quantity bigint NOT NULL,
    min_notional whole_number NOT NULL,
    price_band bigint,
    maker_fee bigint NOT NULL,
    taker_fee bigint NOT NULL,
    state text NOT NULL,
    sequence bigint NOT NULL DEFAULT 0,
    trade_id bigint NOT NULL DEFAULT 0,
    aggregate_id bigint NOT NULL DEFAULT 0,
    engine_time bigint NOT NULL DEFAULT 0,
    last_price bigint
) WITH (fillfactor = 50);

CREATE TABLE accounts (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    frozen boolean NOT NULL,
    created_at bigint NOT NULL
);

INSERT INTO accounts (id, name, frozen, created_at)
SELECT id, name, false, (EXTRACT(EPOCH FROM now()) * 1000000)::bigint
FROM (VALUES (1, 'outside world'), (2, 'fees'), (3, 'admin')) AS house (id, name);

-- Account 1 is the outside world: what is in the exchange is what it is short of.
CREATE TABLE balances (
    account_id bigint NOT NULL REFERENCES accounts,
    currency text NOT NULL REFERENCES currencies,
    total whole_number NOT NULL CHECK (total >= 0 OR account_id = 1),
    PRIMARY KEY (account_id, currency)
) WITH (fillfactor = 50);

-- Every order at its last state. No index holds a column that a fill changes, so that a fill
-- rewrites nothing but the row; an order is open while `closed_at` is null.
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    account_id bigint NOT NULL,
    client_order_id text,
    -- An id of the native API is used up for ever; other dialects free it when the order ends.
    client_order_id_for_ever boolean NOT NULL DEFAULT true,
    market text NOT NULL,
    side text NOT NULL,
    type text NOT NULL,
    time_in_force text NOT NULL,
    post_only boolean NOT NULL,
    self_trade_prevention text NOT NULL,
    price bigint,
    quantity bigint,
    quote_quantity whole_number,
    filled bigint NOT NULL,
    filled_notional whole_number NOT NULL,
    fee whole_number NOT NULL,
    hold whole_number NOT NULL CHECK (hold >= 0),
    status text NOT NULL,
    reason text,
    priority bigint NOT NULL,
    digest bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    closed_at bigint,
    CHECK ((closed_at IS NULL) = (status IN ('open', 'partially_filled'))),
    CHECK (closed_at IS NULL OR hold = 0)
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX orders_client_order_id ON orders (account_id, client_order_id)
WHERE client_order_id IS NOT NULL AND client_order_id_for_ever;

CREATE INDEX orders_reusable_client_order_id ON orders (account_id, client_order_id, id)
WHERE client_order_id IS NOT NULL AND NOT client_order_id_for_ever;

CREATE INDEX orders_of_account ON orders (account_id, id);

CREATE INDEX open_orders_of_account ON orders (account_id, id) WHERE closed_at IS NULL;

CREATE INDEX open_orders_of_market ON orders (market, priority) WHERE closed_at IS NULL;

-- What changed about an order, after each change: the stream of an account's orders, numbered
-- without gaps. `market_sequence` is null where the book did not change; trades of the same step
-- carry the same number.
CREATE TABLE order_events (
    account_id bigint NOT NULL,
    sequence bigint NOT NULL,
    order_id bigint NOT NULL,
    market_sequence bigint,
    price bigint,
    quantity bigint,
    filled bigint NOT NULL,
    filled_notional whole_number NOT NULL,
    fee whole_number NOT NULL,
    hold whole_number NOT NULL,
    status text NOT NULL,
    reason text,
    priority bigint NOT NULL,
    updated_at bigint NOT NULL,
    closed_at bigint,
    PRIMARY KEY (account_id, sequence)
);

-- `position` numbers the trades of all markets in the order of their commit, for paging.
CREATE TABLE trades (
    market text NOT NULL,
    id bigint NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    aggregate_id bigint NOT NULL,
    sequence bigint NOT NULL,
    time bigint NOT NULL,
    price bigint NOT NULL,
    quantity bigint NOT NULL,
    notional whole_number NOT NULL,
    taker_side text NOT NULL,
    maker_order_id bigint NOT NULL,
    taker_order_id bigint NOT NULL,
    maker_account_id bigint NOT NULL,
    taker_account_id bigint NOT NULL,
    maker_fee whole_number NOT NULL,
    taker_fee whole_number NOT NULL,
    PRIMARY KEY (market, id)
);

CREATE INDEX trades_of_maker_order ON trades (maker_order_id, sequence);

CREATE INDEX trades_of_taker_order ON trades (taker_order_id, sequence);

CREATE INDEX trades_of_maker ON trades (maker_account_id, position);

CREATE INDEX trades_of_taker ON trades (taker_account_id, position);

-- The double-entry ledger, line by line; `balance` is the account's total after the line.
CREATE TABLE postings (
    account_id bigint NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    currency text NOT NULL,
    amount whole_number NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    balance whole_number NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (account_id, position)
);

-- Deposits (above zero) and withdrawals (below); the reference makes a repetition harmless.
CREATE TABLE transfers (
    account_id bigint NOT NULL REFERENCES accounts,
    reference text NOT NULL,
    currency text NOT NULL REFERENCES currencies,
    amount whole_number NOT NULL CHECK (amount <> 0),
    time bigint NOT NULL,
    PRIMARY KEY (account_id, reference)
);

-- A token is known by its SHA-256 alone.
CREATE TABLE tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts,
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    scopes text[] NOT NULL,
    label text NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
);

CREATE INDEX tokens_of_account ON tokens (account_id, id);

-- Who changed what; `token_id` 0 is the program itself.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time bigint NOT NULL,
    account_id bigint NOT NULL,
    token_id bigint NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    before jsonb,
    after jsonb
);
