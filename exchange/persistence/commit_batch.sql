-- Writes a batch and moves the journal, in the one statement that is its transaction; says false,
-- and changes nothing, where the journal stands elsewhere. The new rows of a table, or the new
-- values of rows that are there, come as one array of the table's row type, null where there are
-- none. It lives in the writer's session, so that it is never of another version than the writer.
CREATE OR REPLACE FUNCTION pg_temp.commit_batch(
    expected_position bigint,
    expected_epoch bigint,
    saved_currencies currencies[],
    saved_accounts accounts[],
    saved_markets markets[],
    placed orders[],
    changed order_events[],
    events order_events[],
    new_trades trades[],
    new_postings postings[],
    totals balances[],
    new_transfers transfers[],
    new_audits audit[],
    counted markets[],
    new_prevented prevented_matches[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    rows_changed bigint;
BEGIN
    -- First of all: this waits for a lost transaction, which holds the row until it has ended.
    UPDATE journal SET position = position + 1
    WHERE position = expected_position AND epoch = expected_epoch;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    -- What others refer to comes first.
    IF saved_currencies IS NOT NULL THEN
        INSERT INTO currencies (symbol, name, scale)
        SELECT symbol, name, scale FROM unnest(saved_currencies)
        ON CONFLICT (symbol) DO UPDATE SET name = EXCLUDED.name;
    END IF;
    IF saved_accounts IS NOT NULL THEN
        INSERT INTO accounts (id, name, frozen, created_at)
        SELECT id, name, frozen, created_at FROM unnest(saved_accounts)
        ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, frozen = EXCLUDED.frozen;
    END IF;
    IF saved_markets IS NOT NULL THEN
        INSERT INTO markets (
            symbol, code, base, quote, tick, price_scale, lot, quantity_scale, lot_atoms,
            tick_lot_atoms, min_quantity, max_quantity, min_notional, price_band, maker_fee,
            taker_fee, state
        )
        SELECT symbol, code, base, quote, tick, price_scale, lot, quantity_scale, lot_atoms,
            tick_lot_atoms, min_quantity, max_quantity, min_notional, price_band, maker_fee,
            taker_fee, state
        FROM unnest(saved_markets)
        ON CONFLICT (symbol) DO UPDATE SET
            min_quantity = EXCLUDED.min_quantity, max_quantity = EXCLUDED.max_quantity,
            min_notional = EXCLUDED.min_notional, price_band = EXCLUDED.price_band,
            maker_fee = EXCLUDED.maker_fee, taker_fee = EXCLUDED.taker_fee,
            state = EXCLUDED.state;
    END IF;

    IF placed IS NOT NULL THEN
        INSERT INTO orders SELECT * FROM unnest(placed);
    END IF;
    IF changed IS NOT NULL THEN
        UPDATE orders AS o
        SET price = n.price, quantity = n.quantity, filled = n.filled,
            filled_notional = n.filled_notional, fee = n.fee, hold = n.hold, status = n.status,
            reason = n.reason, priority = n.priority, updated_at = n.updated_at,
            closed_at = n.closed_at
        FROM unnest(changed) AS n
        WHERE o.id = n.order_id;
        GET DIAGNOSTICS rows_changed = ROW_COUNT;
        IF rows_changed <> cardinality(changed) THEN
            RAISE foreign_key_violation USING MESSAGE = 'a changed order is not there';
        END IF;
    END IF;
    IF events IS NOT NULL THEN
        INSERT INTO order_events SELECT * FROM unnest(events);
    END IF;
    IF new_trades IS NOT NULL THEN
        INSERT INTO trades (
            market, id, aggregate_id, sequence, time, price, quantity, notional, taker_side,
            maker_order_id, taker_order_id, maker_account_id, taker_account_id, maker_fee,
            taker_fee
        )
        SELECT market, id, aggregate_id, sequence, time, price, quantity, notional, taker_side,
            maker_order_id, taker_order_id, maker_account_id, taker_account_id, maker_fee,
            taker_fee
        FROM unnest(new_trades);
    END IF;
    IF new_prevented IS NOT NULL THEN
        INSERT INTO prevented_matches SELECT * FROM unnest(new_prevented);
    END IF;
    IF new_postings IS NOT NULL THEN
        INSERT INTO postings (account_id, currency, amount, kind, reference, balance, time)
        SELECT account_id, currency, amount, kind, reference, balance, time
        FROM unnest(new_postings);
    END IF;
    IF totals IS NOT NULL THEN
        INSERT INTO balances SELECT * FROM unnest(totals)
        ON CONFLICT (account_id, currency) DO UPDATE SET total = EXCLUDED.total;
    END IF;
    IF new_transfers IS NOT NULL THEN
        INSERT INTO transfers SELECT * FROM unnest(new_transfers);
    END IF;
    IF new_audits IS NOT NULL THEN
        INSERT INTO audit (time, account_id, token_id, action, subject, before, after)
        SELECT time, account_id, token_id, action, subject, before, after
        FROM unnest(new_audits);
    END IF;
    IF counted IS NOT NULL THEN
        UPDATE markets AS m
        SET sequence = n.sequence, engine_time = n.engine_time,
            trade_id = COALESCE(n.trade_id, m.trade_id),
            aggregate_id = COALESCE(n.aggregate_id, m.aggregate_id),
            last_price = COALESCE(n.last_price, m.last_price),
            prevented_id = COALESCE(n.prevented_id, m.prevented_id)
        FROM unnest(counted) AS n
        WHERE m.symbol = n.symbol;
        GET DIAGNOSTICS rows_changed = ROW_COUNT;
        IF rows_changed <> cardinality(counted) THEN
            RAISE foreign_key_violation USING MESSAGE = 'a market is not there';
        END IF;
    END IF;
    RETURN true;
END
$$
