-- One row and more of every table, as version 1 of the schema keeps them.
INSERT INTO deliveries (id, platform, received_at, event_word, deployment, heard, opened_app, headers, body, run, note) VALUES
  ('dlv_0001', 'temps', 1773325867000, 'deploy.live', 'dep_1',
   '{"event":"live","deployment":"dep_1","project":null,"app":"shop","environment":null,"commit":{"sha":null,"message":null,"author":null,"branch":null},"url":null,"triggered_by":null}',
   'shop', '[["user-agent","temps"]]', CAST('{}' AS BLOB), NULL, NULL),
  ('dlv_0002', 'temps', 1773325867000, 'build.completed', 'dep_1', NULL, NULL, '[]', CAST('{}' AS BLOB), 'run_0001', 'kept');
INSERT INTO dedup (platform, key, delivery, at) VALUES ('temps', CAST('key 1' AS BLOB), 'dlv_0001', 1773325867000);
INSERT INTO runs (id, platform, deployment, project, environment_id, app, environment, commit_sha, is_rollback, started_at, ended_at,
                  phase, verdict, action, reason, config_hash, state, version, deployed_at, owner, fence, hold_until) VALUES
  ('run_0001', 'temps', 'dep_1', '7', '3', 'shop', 'production', 'abc', 0, 1773325867000, 1773325900000,
   'done', 'unhealthy', 'rolled back', 'it was bad', 'hash', '{"a":1}', 7, 1773325800000, 'agt_1', 2, NULL),
  ('run_0002', 'temps', 'dep_2', '7', '3', 'shop', 'production', NULL, 0, 1773325867000, NULL,
   'judging', NULL, NULL, NULL, 'hash', '{"a":2}', 3, NULL, 'agt_1', 1, NULL);
INSERT INTO journal (run, at, kind, text, data) VALUES
  ('run_0001', 1773325867000, 'started', 'It began.', '{"x":1}'), ('run_0001', 1773325868000, 'ended', 'It ended.', NULL);
INSERT INTO configs (hash, text, at) VALUES ('hash', 'text', 1773325867000);
INSERT INTO ledger_good (platform, project, environment, deployment, commit_sha, at) VALUES ('temps', '7', '3', 'dep_0', 'abc', 1773325867000);
INSERT INTO ledger_bad (platform, project, environment, deployment, at) VALUES ('temps', '7', '3', 'dep_1', 1773325867000);
INSERT INTO ledger_passed (platform, project, environment, check_name, form, at) VALUES ('temps', '7', '3', 'home', 'f', 1773325867000);
INSERT INTO ledger_before (platform, project, environment, check_name, form, probes, failed, reason, at)
  VALUES ('temps', '7', '3', 'home', 'f', 3, 0, NULL, 1773325867000);
INSERT INTO ledger_times (platform, project, environment, check_name, form, deployment, times, at)
  VALUES ('temps', '7', '3', 'home', 'f', 'dep_0', '[80,90]', 1773325867000);
INSERT INTO ledger_warm_up (platform, project, environment, ms, at) VALUES ('temps', '7', '3', 4200, 1773325867000);
INSERT INTO intents (platform, project, environment, deployment, target, run, at)
  VALUES ('temps', '7', '3', 'dep_1', 'dep_0', 'run_0001', 1773325867000);
INSERT INTO intent_counts (platform, project, environment, intents) VALUES ('temps', '7', '3', 1);
INSERT INTO made (platform, project, environment, deployment, run, at) VALUES ('temps', '7', '3', 'dep_9', 'run_0001', 1773325867000);
INSERT INTO labels (run, label, at) VALUES ('run_0001', 'right', 1773325867000);
INSERT INTO pauses (app, until) VALUES ('shop', 1773325868000);
INSERT INTO messages (id, endpoint, run, event, content_type, body, page, created_at, state, reason, attempts, next_at, taken_by) VALUES
  ('whk_0001', 'ops', 'run_0001', 'smoke_test.passed', 'application/json', CAST('{"n":1}' AS BLOB), 0, 1773325867000, 'delivered', NULL, 1, NULL, NULL),
  ('whk_0002', 'ops', 'run_0001', 'rollback.failed', 'application/json', CAST('{"n":2}' AS BLOB), 1, 1773325867000, 'queued', NULL, 0, 1773325867000, NULL);
INSERT INTO attempts (message, at, host, status, error, response, latency_ms)
  VALUES ('whk_0001', 1773325867000, 'ops.example', 200, NULL, 'ok', 12);
INSERT INTO endpoints (name, failures, since, told, off_reason, off_since, probe_at)
  VALUES ('chat', 21, 1773325867000, 1, 'it failed', 1773325867000, 1773325868000);
INSERT INTO troubles (about, reason, since) VALUES ('store', 'full', 1773325867000);
INSERT INTO agents (id, lease_until) VALUES ('agt_1', 1773325867000);
INSERT INTO duties (name, agent, until) VALUES ('purge', 'agt_1', 1773325867000);
INSERT INTO keys (name, bytes) VALUES ('approval', CAST('0123456789abcdef0123456789abcdef' AS BLOB));
INSERT INTO touched (one, at) VALUES (1, 1773325867000);
