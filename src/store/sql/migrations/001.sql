-- Each index is one more page to write for every delivery, so there are none for what an hourly sweep asks.
CREATE TABLE deliveries (
    id          TEXT PRIMARY KEY,
    platform    TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    event_word  TEXT,
    deployment  TEXT,
    heard       TEXT,
    opened_app  TEXT,
    headers     TEXT NOT NULL,
    body        BLOB NOT NULL,
    run         TEXT,
    note        TEXT
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (id) WHERE note IS NULL AND heard IS NOT NULL;

CREATE TABLE dedup (
    platform TEXT NOT NULL,
    key      BLOB NOT NULL,
    delivery TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (platform, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id          TEXT PRIMARY KEY,
    platform    TEXT NOT NULL,
    deployment  TEXT NOT NULL,
    project     TEXT,
    environment_id TEXT,
    app         TEXT NOT NULL,
    environment TEXT NOT NULL,
    commit_sha  TEXT,
    is_rollback INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    phase       TEXT NOT NULL,
    verdict     TEXT,
    action      TEXT,
    reason      TEXT,
    config_hash TEXT NOT NULL,
    state       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    deployed_at INTEGER,
    owner       TEXT NOT NULL,
    fence       INTEGER NOT NULL,
    hold_until  INTEGER
) STRICT;
-- One run under way for each deployment, whichever agent begins it.
CREATE UNIQUE INDEX runs_one ON runs (platform, deployment) WHERE ended_at IS NULL;
CREATE INDEX runs_deployment ON runs (platform, deployment, id);
CREATE INDEX runs_unfinished ON runs (id) WHERE ended_at IS NULL;
CREATE INDEX runs_app ON runs (app, environment, id);
CREATE INDEX runs_key ON runs (platform, project, environment_id, id) WHERE project IS NOT NULL;

CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    run    TEXT NOT NULL,
    at     INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    text   TEXT NOT NULL,
    data   TEXT
) STRICT;
CREATE INDEX journal_run ON journal (run, number);

CREATE TABLE configs (
    hash TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    at   INTEGER NOT NULL
) STRICT;

CREATE TABLE ledger_good (
    platform TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
    deployment TEXT NOT NULL, commit_sha TEXT, at INTEGER NOT NULL,
    PRIMARY KEY (platform, project, environment, deployment)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger_bad (
    platform TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
    deployment TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (platform, project, environment, deployment)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger_passed (
    platform TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
    check_name TEXT NOT NULL, form TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (platform, project, environment, check_name, form)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger_before (
    platform TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
    check_name TEXT NOT NULL, form TEXT NOT NULL, probes INTEGER NOT NULL, failed INTEGER NOT NULL,
    reason TEXT, at INTEGER NOT NULL,
    PRIMARY KEY (platform, project, environment, check_name)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger_times (
    number INTEGER PRIMARY KEY,
    platform TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
    check_name TEXT NOT NULL, form TEXT NOT NULL, deployment TEXT NOT NULL, times TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_times_check ON ledger_times (platform, project, environment, check_name, number);
CREATE TABLE ledger_warm_up (
    number INTEGER PRIMARY KEY,
    platform TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
    ms INTEGER NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_warm_up_app ON ledger_warm_up (platform, project, environment, number);
CREATE TABLE intents (
    platform TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
    deployment TEXT NOT NULL, target TEXT NOT NULL, run TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (platform, project, deployment)
) STRICT, WITHOUT ROWID;
CREATE TABLE intent_counts (
    platform TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
    intents INTEGER NOT NULL,
    PRIMARY KEY (platform, project, environment)
) STRICT, WITHOUT ROWID;
CREATE TABLE made (
    platform TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
    deployment TEXT NOT NULL, run TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (platform, project, environment, deployment)
) STRICT, WITHOUT ROWID;

CREATE TABLE labels (
    run   TEXT PRIMARY KEY,
    label TEXT NOT NULL,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pauses (
    app   TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    id           TEXT PRIMARY KEY,
    endpoint     TEXT NOT NULL,
    run          TEXT,
    event        TEXT NOT NULL,
    content_type TEXT NOT NULL,
    body         BLOB NOT NULL,
    page         INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    state        TEXT NOT NULL,
    reason       TEXT,
    attempts     INTEGER NOT NULL,
    next_at      INTEGER,
    taken_by     TEXT
) STRICT;
CREATE INDEX messages_due ON messages (next_at) WHERE state = 'queued';
CREATE INDEX messages_run ON messages (run);
CREATE INDEX messages_created ON messages (created_at, id);

CREATE TABLE attempts (
    number INTEGER PRIMARY KEY,
    message    TEXT NOT NULL,
    at         INTEGER NOT NULL,
    host       TEXT NOT NULL,
    status     INTEGER,
    error      TEXT,
    response   TEXT NOT NULL,
    latency_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_message ON attempts (message, number);

-- Endpoints whose last attempt failed, or that are switched off; of the others nothing is to be known.
CREATE TABLE endpoints (
    name       TEXT PRIMARY KEY,
    failures   INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    told       INTEGER NOT NULL,
    off_reason TEXT,
    off_since  INTEGER,
    probe_at   INTEGER
) STRICT, WITHOUT ROWID;

-- What keeps rollbacks from being possible now, and was told of.
CREATE TABLE troubles (
    about  TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An agent lives as long as its lease; what a dead one owns, another takes.
CREATE TABLE agents (
    id          TEXT PRIMARY KEY,
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- What one agent does for all.
CREATE TABLE duties (
    name  TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    name  TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE touched (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;
