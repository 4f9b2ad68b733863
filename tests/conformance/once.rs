//! What is not safe to send again is sent once, whatever comes of it.

use super::authority::Authority;
use super::corpus::Answer;
use super::run::Run;

/// What happens to a request, whether it may be repeated, and how often the server then hears of it.
const TABLE: &[(&str, &str, usize)] = &[
    ("{ on = 'POST /orders', status = 503 }", "", 1),
    ("{ on = 'POST /orders', reset = true }", "", 1),
    ("{ on = 'POST /orders', delay = '1500ms' }", "", 1),
    ("{ on = 'POST /orders', status = 429 }", "", 1),
    ("{ on = 'POST /orders', status = 500 }", "", 1),
    ("{ on = 'POST /orders', status = 503 }", "repeat = true", 2),
    ("{ on = 'POST /orders', reset = true }", "repeat = true", 2),
    ("{ on = 'POST /orders', delay = '1500ms' }", "repeat = true", 2),
];

async fn posted(server: &str, repeat: &str) -> (usize, String) {
    #[derive(serde::Deserialize)]
    struct Answers {
        answers: Vec<Answer>,
    }
    let answers: Answers = toml::from_str(&format!("answers = [{server}]")).expect("answers");
    let run = Run {
        checks: format!("[check.order]\npost = \"/orders\"\ntimeout = \"500ms\"\njson = {{ sku = 7 }}\n{repeat}\n"),
        answers: answers.answers,
        ..Run::default()
    };
    let outcome = run.perform(&Authority::new()).await;
    (
        outcome.hits("POST /orders") + outcome.hits("POST /elsewhere"),
        outcome.story(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_not_sent_twice_unless_it_says_that_it_may_be() {
    for (server, repeat, times) in TABLE {
        let (posts, story) = posted(server, repeat).await;
        assert_eq!(posts, *times, "{server} {repeat}\n{story}");
    }
}

/// A redirect that keeps the method (RFC 9110 §15.4.8) leads to one order: the address that redirects has taken none.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirected_post_is_taken_once() {
    let server = "{ on = 'POST /orders', status = 307, headers.location = '/elsewhere' }, \
                  { on = 'POST /elsewhere', status = 201, expects.json = { sku = 7 } }";
    let (posts, story) = posted(server, "").await;
    assert_eq!(posts, 2, "{story}");
}
