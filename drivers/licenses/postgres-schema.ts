/** Where everything of the ledger lies in the database. */
export const schemaName = "sfi_license";

/**
 * The tables of a shared ledger. What must never happen is forbidden by the database itself, whoever writes:
 * a second record in the same place or behind the same one (primary key and `prev` unique), two entries for one chip
 * and firmware (primary key), a license without its state or the reverse, an account that does not balance, and any
 * change to a record (trigger).
 */
export const createTables = `
CREATE SCHEMA IF NOT EXISTS ${schemaName};
CREATE TABLE IF NOT EXISTS ${schemaName}.record (
  seq bigint PRIMARY KEY CHECK (seq > 0),
  id uuid NOT NULL UNIQUE,
  body text NOT NULL,
  prev text NOT NULL UNIQUE,
  hash text NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS ${schemaName}.entry (
  key text PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('reserved', 'issued', 'released', 'burned', 'forgotten')),
  source text NOT NULL,
  certificate text NOT NULL,
  content text NOT NULL,
  license bytea,
  CHECK ((state = 'issued') = (license IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS entry_of_chip ON ${schemaName}.entry (certificate);
CREATE INDEX IF NOT EXISTS entry_open ON ${schemaName}.entry (source) WHERE state = 'reserved';
CREATE TABLE IF NOT EXISTS ${schemaName}.account (
  source text PRIMARY KEY,
  opened bigint NOT NULL,
  counter bigint NOT NULL,
  reserved bigint NOT NULL CHECK (reserved IN (0, 1)),
  issued bigint NOT NULL CHECK (issued >= 0),
  burned bigint NOT NULL CHECK (burned >= 0),
  surplus bigint NOT NULL CHECK (surplus >= 0),
  outside bigint NOT NULL CHECK (outside >= 0),
  CHECK (opened - counter = issued + burned + surplus + outside)
);
CREATE TABLE IF NOT EXISTS ${schemaName}.client (
  name text PRIMARY KEY,
  issued bigint NOT NULL CHECK (issued >= 0)
);
CREATE TABLE IF NOT EXISTS ${schemaName}.head (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  schema int NOT NULL CHECK (schema = 1),
  seq bigint NOT NULL,
  hash text NOT NULL
);
CREATE OR REPLACE FUNCTION ${schemaName}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'records of the license ledger are never changed';
END $$;
CREATE OR REPLACE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON ${schemaName}.record
  FOR EACH STATEMENT EXECUTE FUNCTION ${schemaName}.refuse();
`;

/** Empty databases get their head; $1 is the start of the chain. */
export const insertHead = `INSERT INTO ${schemaName}.head (schema, seq, hash) VALUES (1, 0, $1) ON CONFLICT DO NOTHING`;

/** Begins the transaction of an append; whoever configured the server, the commit waits for the disk. */
export const beginAppend = "BEGIN; SET LOCAL synchronous_commit = on";

/** Appends follow one another: each holds this row until its transaction ends. */
export const lockHead = `SELECT seq, hash FROM ${schemaName}.head FOR UPDATE`;

/** What stands before a change: $1 key, $2 source, $3 id of the change, $4 number of the last record. */
export const selectStanding = `SELECT
  (SELECT row_to_json(r) FROM (SELECT body, prev, hash FROM ${schemaName}.record WHERE seq = $4) r) AS last,
  (SELECT row_to_json(r) FROM (SELECT seq, body, prev, hash FROM ${schemaName}.record WHERE id = $3) r) AS done,
  (SELECT row_to_json(e) FROM (
    SELECT content, encode(license, 'hex') AS license FROM ${schemaName}.entry WHERE key = $1) e) AS entry,
  (SELECT row_to_json(a) FROM ${schemaName}.account a
    WHERE source = COALESCE($2, (SELECT source FROM ${schemaName}.entry WHERE key = $1))) AS account`;

export const insertRecord = `INSERT INTO ${schemaName}.record (seq, id, body, prev, hash) VALUES ($1, $2, $3, $4, $5)`;

export const upsertEntry = `INSERT INTO ${schemaName}.entry (key, state, source, certificate, content, license)
  VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (key) DO UPDATE SET state = $2, source = $3, certificate = $4, content = $5, license = $6`;

export const upsertAccount = `INSERT INTO ${schemaName}.account
  (source, opened, counter, reserved, issued, burned, surplus, outside) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
  ON CONFLICT (source) DO UPDATE
  SET opened = $2, counter = $3, reserved = $4, issued = $5, burned = $6, surplus = $7, outside = $8`;

/** Whether the session $1, begun at $2, still holds the lock of its turn: it may be gone with a connection. */
export const holdsTurn = `SELECT EXISTS (
  SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
  WHERE l.locktype = 'advisory' AND l.granted AND l.pid = $1 AND a.backend_start::text = $2) AS holds`;

export const countClient = `INSERT INTO ${schemaName}.client (name, issued) VALUES ($1, 1)
  ON CONFLICT (name) DO UPDATE SET issued = client.issued + 1`;

export const moveHead = `UPDATE ${schemaName}.head SET seq = $1, hash = $2`;
