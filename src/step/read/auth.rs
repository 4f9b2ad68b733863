//! Reading who we say that we are: `bearer`, `basic` or `oauth2`.

use http::Method;
use http::header::AUTHORIZATION;

use super::{send, template};
use crate::document::{Node, Problems, Table};
use crate::step::template::Template;
use crate::step::{Body, Capture, CaptureFrom, Login, Path, Step, Target};

const KINDS: [&str; 3] = ["bearer", "basic", "oauth2"];
/// What the answer of a token endpoint calls the token (RFC 6749 §5.1).
const TOKEN_PATH: &str = "$.access_token";
/// What it is captured as.
pub(super) const TOKEN_NAME: &str = "token";

/// Who we say that we are.
#[derive(Default)]
pub(super) struct Auth {
    pub(super) bearer: Option<Template>,
    pub(super) basic: Option<(Template, Template)>,
    pub(super) login: Option<Box<Login>>,
}

pub(super) fn read(table: &mut Table<'_>, problems: &mut Problems) -> Option<Auth> {
    let given: Vec<(&str, Node<'_>)> = KINDS.iter().filter_map(|key| Some((*key, table.take(key)?))).collect();
    let Some((key, node)) = given.first() else {
        return Some(Auth::default());
    };
    if let Some((second, node)) = given.get(1) {
        let message = format!("`{key}` and `{second}` cannot both be in {}", table.label());
        problems.push_help(node.place(), message, "both are the same header; remove one");
        return None;
    }
    let headers = table.child("headers");
    let by_hand = |headers: Table<'_>| {
        let keys = headers.keys();
        keys.iter()
            .any(|key| key.name.eq_ignore_ascii_case(AUTHORIZATION.as_str()))
    };
    if headers.is_some_and(by_hand) {
        let message = format!(
            "`{key}` and `headers.authorization` cannot both be in {}",
            table.label()
        );
        problems.push_help(node.place(), message, "both are the same header; remove one");
        return None;
    }
    match *key {
        "bearer" => bearer(node, problems),
        "basic" => basic(node, problems),
        _ => oauth2(node, problems),
    }
}

fn bearer(node: &Node<'_>, problems: &mut Problems) -> Option<Auth> {
    let template = send::line(node, problems)?;
    if template.source().is_empty() {
        problems.push(node.place(), format!("{} is empty", node.label()));
        return None;
    }
    Some(Auth {
        bearer: Some(template),
        ..Auth::default()
    })
}

fn basic(node: &Node<'_>, problems: &mut Problems) -> Option<Auth> {
    let mut table = node.table(problems)?;
    let pair = pair(&mut table, ["user", "password"], problems);
    table.finish(problems, &[("username", "user"), ("pass", "password")]);
    Some(Auth {
        basic: Some(pair?),
        ..Auth::default()
    })
}

/// Two texts that must both be there.
fn pair(table: &mut Table<'_>, keys: [&'static str; 2], problems: &mut Problems) -> Option<(Template, Template)> {
    let mut read = |key: &'static str| {
        let help = format!("write `{key} = \"…\"`");
        let node = table.required(key, &help, problems)?;
        template(&node, problems)
    };
    let [first, second] = keys.map(&mut read);
    Some((first?, second?))
}

/// Client credentials: a request of its own, whose token is then the bearer (RFC 6749 §4.4; the client authenticates as in
/// §2.3.1).
fn oauth2(node: &Node<'_>, problems: &mut Problems) -> Option<Auth> {
    let mut table = node.table(problems)?;
    let help = "write where tokens are given: `url = \"https://login.example.com/oauth/token\"`";
    let url = table.required("url", help, problems);
    let target = url.and_then(|node| match Target::parse(node.string(problems)?) {
        Ok(target) => Some(target),
        Err(error) => {
            problems.push(node.place(), format!("{} is not an address: {error}", node.label()));
            None
        }
    });
    let client = pair(&mut table, ["client_id", "client_secret"], problems);
    let scope = table.take("scope").map(|node| template(&node, problems).ok_or(()));
    table.finish(
        problems,
        &[
            ("token_url", "url"),
            ("id", "client_id"),
            ("secret", "client_secret"),
            ("scopes", "scope"),
        ],
    );
    let mut step = Step::new(Method::POST, target?);
    step.send.basic = Some(client?);
    let grant = ("grant_type".to_owned(), Template::literal("client_credentials"));
    let scope = scope.transpose().ok()?.map(|scope| ("scope".to_owned(), scope));
    step.send.body = Body::Form(std::iter::once(grant).chain(scope).collect());
    step.capture.push(Capture {
        name: TOKEN_NAME.to_owned(),
        from: CaptureFrom::Json(Path::parse(TOKEN_PATH).ok()?),
        secret: true,
    });
    let login = Login::new(step);
    Some(Auth {
        bearer: Template::parse(&format!("{{{{ {} }}}}", login.slot)).ok(),
        login: Some(Box::new(login)),
        ..Auth::default()
    })
}
