-- How far each partition was read; written together with what was read.
CREATE TABLE offsets (
  topic     TEXT NOT NULL,
  partition INTEGER NOT NULL,
  next      INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

-- One row for each username: the first that asked for it.
CREATE TABLE sign_ups (
  username      TEXT PRIMARY KEY,
  account_id    TEXT NOT NULL UNIQUE,
  name          TEXT NOT NULL,
  home_currency TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  signed_up_at  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE accounts (
  account_id    TEXT PRIMARY KEY,
  username      TEXT NOT NULL,
  name          TEXT NOT NULL,
  home_currency TEXT NOT NULL,
  status        TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE sessions (
  token_hash TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;

-- A request and its outcome. Either may be read first: `amount` is null until the request was, `status` is pending
-- until the outcome was. `position` is the offset of the request, which orders the transactions of an account.
-- Rows are kept as they come, not sorted by account: a batch then writes half as many pages.
CREATE TABLE transactions (
  account_id     TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  position       INTEGER NOT NULL,
  type           TEXT NOT NULL,
  currency       TEXT,
  buy_currency   TEXT,
  amount         TEXT,
  min_buy_amount TEXT,
  card           TEXT,
  iban           TEXT,
  requested_at   INTEGER,
  status         TEXT NOT NULL DEFAULT 'pending',
  reason         TEXT,
  message        TEXT,
  sequence       INTEGER,
  booked         INTEGER,
  bought         INTEGER,
  rate_pair      TEXT,
  rate_bid       TEXT,
  rate_ask       TEXT,
  rate_as_of     INTEGER,
  decided_at     INTEGER,
  UNIQUE (account_id, transaction_id)
);
CREATE INDEX transactions_by_position ON transactions (account_id, position);

-- `balances` is a JSON object: minor units by currency.
CREATE TABLE wallets (
  account_id    TEXT PRIMARY KEY,
  home_currency TEXT NOT NULL,
  sequence      INTEGER NOT NULL,
  balances      BLOB NOT NULL
) WITHOUT ROWID;
