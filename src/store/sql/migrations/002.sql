-- What was live in a place when it was first looked at, and no delivery had told of it: the baseline that nobody judges.
CREATE TABLE adopted (
    platform       TEXT NOT NULL,
    project        TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    app            TEXT NOT NULL,
    environment    TEXT NOT NULL,
    deployment     TEXT,
    deployed_at    INTEGER,
    at             INTEGER NOT NULL,
    PRIMARY KEY (platform, project, environment_id)
) STRICT, WITHOUT ROWID;

-- Deployments that were heard to be ready, until they go live, fail, or are told of because they do neither.
CREATE TABLE awaited (
    platform   TEXT NOT NULL,
    deployment TEXT NOT NULL,
    heard      TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (platform, deployment)
) STRICT, WITHOUT ROWID;

-- Lists, newest first: one index for each word that a list may be filtered by, with what else it may be filtered by beside it, so that
-- looking through many rows reads none of those that do not fit.
DROP INDEX runs_app;
CREATE INDEX runs_app ON runs (app, id, environment, verdict, action);
CREATE INDEX runs_action ON runs (action, id, verdict, environment);
CREATE INDEX runs_verdict ON runs (verdict, id, environment);
CREATE INDEX runs_environment ON runs (environment, id);
-- What trust looks at, of many runs of a place.
DROP INDEX runs_key;
CREATE INDEX runs_key ON runs (platform, project, environment_id, id, verdict, ended_at, action, started_at, deployment, is_rollback)
    WHERE project IS NOT NULL;
DROP INDEX messages_run;
CREATE INDEX messages_run ON messages (run, created_at, id);
DROP INDEX messages_created;
CREATE INDEX messages_created ON messages (created_at, id, event);
CREATE INDEX messages_endpoint ON messages (endpoint, created_at, id, state, event);
CREATE INDEX messages_left ON messages (state, created_at, id, endpoint, event) WHERE state <> 'delivered';
-- Deliveries have no index more: each would be one more page to write for every delivery. What they are about is kept beside them.
ALTER TABLE deliveries ADD COLUMN app TEXT;
UPDATE deliveries SET app = coalesce(heard ->> 'app', opened_app);
-- The newest known-good version of a place, without reading all of them.
CREATE INDEX ledger_good_newest ON ledger_good (platform, project, environment, at);

-- What has ended is removed oldest first, and a config with the last run that began with it.
CREATE INDEX runs_ended ON runs (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_config ON runs (config_hash);
-- Who fails now is asked for each run that begins; without this, every run under way is looked at for it.
CREATE INDEX runs_failing ON runs (verdict, platform, project, environment_id) WHERE ended_at IS NULL;

-- What a message is about (messages about the same are kept in order), how grave it is (0 to 3), its place in its run's order.
ALTER TABLE messages ADD COLUMN subject TEXT;
ALTER TABLE messages ADD COLUMN gravity INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET subject = run, gravity = 3 * page;
CREATE INDEX messages_lane ON messages (endpoint, gravity, next_at) WHERE state = 'queued';
CREATE INDEX messages_order ON messages (endpoint, subject) WHERE state = 'queued';
