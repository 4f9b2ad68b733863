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

-- What has ended is removed oldest first, and a config with the last run that began with it.
CREATE INDEX runs_ended ON runs (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_config ON runs (config_hash);
-- Who fails now is asked for each run that begins; without this, every run under way is looked at for it.
CREATE INDEX runs_failing ON runs (verdict, platform, project, environment_id) WHERE ended_at IS NULL;
