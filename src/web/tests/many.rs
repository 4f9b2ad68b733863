//! Many rows with long names: pages stay light, lead on without skipping or repeating, and show what was asked for.

use super::*;

/// Runs, and half as many of each place; messages are twice as many.
const RUNS: usize = 600;
const PLACES: usize = 60;
/// More than one page looks through.
const DELIVERIES: usize = 2_100;
/// Bytes of a page without what is drawn.
const BYTES_MAX: usize = 60_000;

/// A name as long and as awkward as anybody can make it.
fn long() -> String {
    r#"<b>&"'é"#.repeat(60)
}

/// The beginning of ids of the start's moment.
fn id_start(prefix: &str) -> String {
    let least = Ids::least(prefix, START);
    least[..prefix.len() + 11].to_owned()
}

/// Fills the store; `name` is what everything is called.
async fn fill(store: &Store, name: &str) {
    let name = name.replace('\'', "''");
    let numbers =
        |count: usize| format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
    let (run, delivery, at) = (id_start("run"), id_start("dlv"), START.as_millis());
    let script = vec![
        format!(
            "INSERT INTO runs (id, platform, deployment, project, environment_id, app, environment, commit_sha, is_rollback, started_at,
                               ended_at, phase, verdict, action, reason, config_hash, state, version, owner, fence)
             {} SELECT printf('{run}%016d', i), 'temps', '{name}', i % {PLACES}, '3', printf('app-%02d {name}', i % {PLACES}),
                       CASE WHEN i % 3 = 0 THEN 'staging' ELSE 'production' END, '{name}', 0, {at} + i, {at} + i + 9,
                       'done', CASE WHEN i % 2 = 0 THEN 'unhealthy' ELSE 'healthy' END,
                       CASE i % 4 WHEN 0 THEN 'rolled back' WHEN 2 THEN 'withheld' ELSE 'none' END, '{name}', 'hash', '{{}}', 1, 'agt_1', 1
                FROM n",
            numbers(RUNS)
        ),
        format!(
            "INSERT INTO journal (run, at, kind, text, data)
             {} SELECT printf('{run}%016d', {RUNS}), {at} + i, CASE WHEN i % 2 = 0 THEN 'probe' ELSE 'note' END, '{name}',
                       '{{\"check\":\"home\",\"seen\":{{\"class\":\"broken\",\"latency_ms\":12}},\"budget_to\":5,\"budget_max\":20}}'
                FROM n",
            numbers(900)
        ),
        format!(
            "INSERT INTO messages (id, endpoint, run, event, content_type, body, page, created_at, state, reason, attempts)
             {} SELECT printf('whk_%08d', i), printf('%03d {name}', i % 90), printf('{run}%016d', {RUNS}), 'rollback.withheld', 'text/plain',
                       CAST('{name}' AS BLOB), 0, {at} + i / 7, CASE WHEN i % 5 = 0 THEN 'dead' ELSE 'delivered' END, '{name}', 9
                FROM n",
            numbers(2 * RUNS)
        ),
        format!(
            "INSERT INTO attempts (message, at, host, status, error, response, latency_ms)
             {} SELECT 'whk_00000001', {at}, '{name}', 500, '{name}', '{name}{name}{name}', 9 FROM n",
            numbers(50)
        ),
        format!(
            "INSERT INTO deliveries (id, platform, received_at, event_word, deployment, app, headers, body, note)
             {} SELECT printf('{delivery}%016d', i), CASE WHEN i < 3 THEN 'rare' ELSE 'temps' END, {at}, '{name}', '{name}', '{name}',
                       '[[\"user-agent\",\"temps\"]]', CAST('{name}' AS BLOB), '{name}'
                FROM n",
            numbers(DELIVERIES)
        ),
        format!(
            "INSERT INTO pauses (app, until) {} SELECT printf('%03d {name}', i), {at} + 60000 FROM n",
            numbers(90)
        ),
        format!(
            "INSERT INTO troubles (about, reason, since) {} SELECT printf('%03d {name}', i), '{name}', {at} FROM n",
            numbers(30)
        ),
    ];
    store.run_script(script).await;
}

fn run(number: usize) -> String {
    format!("{}{number:016}", id_start("run"))
}

/// What stands between `begin` and the next `end`, each time.
fn between<'a>(page: &'a str, begin: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    let rests = page.split(begin).skip(1);
    rests.filter_map(move |rest| rest.split(end).next())
}

/// Follows the link to the next page until there is none; what each page links to below `below`, in its order.
async fn follow(site: &Site, first: &str, below: &str) -> Vec<Vec<String>> {
    let (mut pages, mut address) = (Vec::new(), Some(first.to_owned()));
    while let Some(at) = address.take() {
        let (status, _, page) = site.get(&at).await;
        assert_eq!(status, StatusCode::OK, "{at}");
        let begin = format!("href=\"{below}");
        let links = between(&page, &begin, '"').map(str::to_owned);
        pages.push(links.collect());
        let mut nexts = page.split("<a href=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        let next = nexts.find(|(_, rest)| rest.starts_with(" rel=\"next\""));
        address = next.map(|(address, _)| address.replace("&#38;", "&").replace("&amp;", "&"));
        assert!(pages.len() < 1_000, "it does not end");
    }
    pages
}

#[tokio::test]
async fn every_page_stays_light_whatever_things_are_called() {
    let site = site().await;
    fill(&site.store, &long()).await;
    let newest = run(RUNS);
    for path in [
        "/",
        "/?verdict=unhealthy",
        "/apps",
        &format!("/runs/{newest}"),
        "/deliveries",
        "/deliveries?platform=temps",
        &format!("/deliveries/{}{:016}", id_start("dlv"), 7),
        "/messages",
        &format!("/messages?run={newest}"),
        "/messages/whk_00000001",
        "/endpoints",
        "/pauses",
        "/trust",
    ] {
        let (status, _, page) = site.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let drawn: usize = page
            .split("<svg")
            .skip(1)
            .filter_map(|rest| rest.split("</svg>").next())
            .map(str::len)
            .sum();
        let bytes = page.len() - drawn;
        assert!(bytes < BYTES_MAX, "{path}: {bytes} bytes");
        // It is the names that make it short, not something that went wrong: there is more than a frame.
        assert!(bytes > 6_000, "{path}: {bytes} bytes");
        assert!(!page.contains("<b>&"), "{path} has a name as markup");
    }
}

#[tokio::test]
async fn pages_lead_on_without_skipping_or_repeating() {
    let site = site().await;
    fill(&site.store, &long()).await;
    let newest_first: Vec<String> = (1..=RUNS).rev().map(run).collect();
    // All of them, but by a filter, so that the apps' runs are not there too.
    let pages = follow(&site, "/?since=2000-01-01", "/runs/").await;
    assert!(
        pages.len() > 10 && pages.iter().all(|page| page.len() <= 50),
        "{}",
        pages.len()
    );
    assert_eq!(pages.concat(), newest_first);
    let messages = follow(&site, "/messages", "/messages/whk_").await.concat();
    let mut by_age: Vec<usize> = (1..=2 * RUNS).collect();
    by_age.sort_by_key(|number| std::cmp::Reverse((number / 7, *number)));
    let by_age: Vec<String> = by_age.iter().map(|number| format!("{number:08}")).collect();
    assert_eq!(messages, by_age);
    let deliveries = follow(&site, "/deliveries", "/deliveries/dlv_").await.concat();
    assert_eq!(deliveries.len(), DELIVERIES);
    assert!(deliveries.is_sorted_by(|newer, older| newer > older));
    let apps = follow(&site, "/apps", "/runs/").await;
    assert!(apps.len() > 1);
    let mut newest_of_each: Vec<String> = newest_first[..PLACES].to_vec();
    let mut shown = apps.concat();
    shown.sort_unstable();
    newest_of_each.sort_unstable();
    assert_eq!(shown, newest_of_each);
    let mut endpoints = 0;
    for page in follow(&site, "/endpoints", "/endpoints").await {
        assert!(!page.is_empty());
        endpoints += 1;
    }
    assert!(endpoints > 1, "{endpoints}");
    // Each alarm once: half of each place's runs were unhealthy.
    let mut alarms = follow(&site, "/trust", "/runs/").await.concat();
    let all = alarms.len();
    alarms.sort_unstable();
    alarms.dedup();
    assert_eq!(
        (alarms.len(), all),
        (240, 240),
        "8 of the 10 alarms of each of the 30 places that had any"
    );
}

#[tokio::test]
async fn filters_show_what_was_asked_for() {
    let site = site().await;
    fill(&site.store, "shop").await;
    let of = |keep: fn(&usize) -> bool| -> Vec<String> { (1..=RUNS).rev().filter(keep).map(run).collect() };
    for (query, expected) in [
        ("action=rolled+back", of(|number| number % 4 == 0)),
        (
            "verdict=healthy&environment=staging",
            of(|number| number % 2 == 1 && number % 3 == 0),
        ),
        ("app=app-07+shop&environment=production", of(|number| number % 60 == 7)),
        ("app=nobody", Vec::new()),
        ("since=2026-03-12T14:31:07Z", of(|_| true)),
        ("since=2026-03-12T14:31:08Z", Vec::new()),
        ("until=1h", Vec::new()),
    ] {
        assert_eq!(
            follow(&site, &format!("/?{query}"), "/runs/").await.concat(),
            expected,
            "{query}"
        );
        let (mut found, mut before) = (Vec::new(), String::new());
        loop {
            let (_, _, answer) = site.get(&format!("/api/v1/runs?limit=200&{query}{before}")).await;
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            let ids = answer["items"].as_array().unwrap().iter();
            found.extend(ids.map(|run| run["id"].as_str().unwrap().to_owned()));
            let Some(next) = answer["next"].as_str() else { break };
            before = format!("&before={next}");
        }
        assert_eq!(found, expected, "{query}");
    }
    let count = async |address: &str, below: &str| follow(&site, address, below).await.concat().len();
    assert_eq!(count("/messages?state=dead", "/messages/whk_").await, 2 * RUNS / 5);
    // Every fifth is dead, so all to this endpoint are.
    let to = (1..=2 * RUNS).filter(|number| number % 90 == 10).count();
    for (state, expected) in [("dead", to), ("delivered", 0)] {
        let address = format!("/messages?endpoint=010+shop&state={state}");
        assert_eq!(count(&address, "/messages/whk_").await, expected, "{state}");
    }
    assert_eq!(count("/messages?event=rollback.failed", "/messages/whk_").await, 0);
    assert_eq!(
        count("/deliveries?app=shop&event=shop", "/deliveries/dlv_").await,
        DELIVERIES
    );
    assert_eq!(count("/trust?app=app-08+shop", "/runs/").await, 8);
    // Only the oldest are from there: one page does not look so far.
    let (_, _, page) = site.get("/deliveries?platform=rare").await;
    assert!(page.contains("2000 were looked through"), "{page}");
    assert_eq!(count("/deliveries?platform=rare", "/deliveries/dlv_").await, 2);
    for wrong in [
        "/?verdict=fine",
        "/?action=undone",
        "/?since=soon",
        "/messages?state=lost",
        "/messages?before=7",
        "/trust?limit=51",
    ] {
        let of_api = wrong.replace("/?", "/runs?");
        assert_eq!(
            site.get(&format!("/api/v1{of_api}")).await.0,
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn what_a_form_shows_is_what_was_asked() {
    let site = site().await;
    fill(&site.store, "shop").await;
    let (_, _, page) = site.get("/messages?state=dead&endpoint=%22%3E%3Cb%3E&since=2h").await;
    for shown in [
        "<option value=\"dead\" selected>given up</option>",
        "value=\"&#34;&#62;&#60;b&#62;\"",
        "name=\"since\" value=\"2h\"",
        "<a href=\"/messages\">All, from the newest</a>",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let (_, _, page) = site.get("/trust").await;
    assert!(
        page.contains("role=\"img\"") && page.contains("false ones as empty bars"),
        "{page}"
    );
    assert!(!page.contains(" style="), "{page}");
}
