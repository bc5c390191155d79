-- Keys beside tokens: a client signs with a key's secret instead of sending it, so the server must
-- know the secret itself, and not just a hash. It is wrapped (AES-GCM) with a key that is in no
-- database; the secret of a key that is revoked is gone.
ALTER TABLE tokens
    ALTER COLUMN hash DROP NOT NULL,
    ADD COLUMN key text UNIQUE CHECK (key ~ '^[A-Za-z0-9]{64}$'),
    ADD COLUMN wrapped bytea,
    -- Networks from which the key may be used; null: from anywhere.
    ADD COLUMN ip_allow text[] CHECK (cardinality(ip_allow) > 0),
    ADD CHECK ((hash IS NULL) <> (key IS NULL)),
    ADD CHECK (wrapped IS NULL OR key IS NOT NULL),
    ADD CHECK (wrapped IS NOT NULL OR key IS NULL OR revoked_at IS NOT NULL),
    ADD CHECK (ip_allow IS NULL OR key IS NOT NULL);
