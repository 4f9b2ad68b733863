//! The corpus as it is written: cases of checks, each with servers that satisfy them and servers that do not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One file of the corpus.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    #[serde(default)]
    case: Vec<Case>,
}

/// A feature: checks, a good server, and bad ones; or checks that are refused when they are loaded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// The config's text. `@ADDR@`, `@PORT@`, `@OTHER@`, `@CA@`, `@CERT@`, `@KEY@` and `@DIR@` are filled in here and
    /// in what servers answer.
    pub checks: String,
    /// The feature is not there yet.
    #[serde(default)]
    pub pending: bool,
    #[serde(default)]
    pub server_kind: Kind,
    #[serde(default)]
    pub tls: TlsSetup,
    /// What a gRPC health server says of each service.
    #[serde(default)]
    pub health: BTreeMap<String, String>,
    #[serde(default)]
    pub good: Vec<Answer>,
    /// What a second server answers, at `@OTHER@`.
    #[serde(default)]
    pub other: Vec<Answer>,
    /// So many requests must have come to the good server.
    #[serde(default)]
    pub good_hits: BTreeMap<String, usize>,
    /// Results of the good run that are not `pass`.
    #[serde(default)]
    pub good_results: BTreeMap<String, String>,
    /// The names of all checks that run.
    pub check_names: Option<Vec<String>>,
    #[serde(default)]
    pub bad: Vec<Bad>,
    /// Files beside the config.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub args: Vec<String>,
    /// Words of the error, if the config is refused.
    pub refused: Option<String>,
}

/// What makes one check fail. What it leaves out is as in the good run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bad {
    pub server: Option<Vec<Answer>>,
    pub other: Option<Vec<Answer>>,
    pub server_kind: Option<Kind>,
    pub tls: Option<TlsSetup>,
    pub health: Option<BTreeMap<String, String>>,
    pub env: Option<BTreeMap<String, String>>,
    pub args: Option<Vec<String>>,
    /// The check that fails; may be left out where there is one.
    pub check: Option<String>,
    #[serde(default = "fail")]
    pub result: String,
    pub reason: String,
    /// Words of the detail.
    pub says: String,
    /// Results of other checks that are not `pass`.
    #[serde(default)]
    pub also: BTreeMap<String, String>,
    #[serde(default)]
    pub hits: BTreeMap<String, usize>,
}

fn fail() -> String {
    "fail".to_owned()
}

/// What listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/2 without TLS.
    H2,
    /// HTTP over TLS, the version by ALPN.
    Tls,
    /// The same, for clients with a certificate of our authority.
    Mtls,
    /// A gRPC health service without TLS.
    Grpc,
    /// The same over TLS.
    Grpcs,
    /// Accepts connections and says nothing.
    Tcp,
    /// Says what is no HTTP.
    Noise,
    /// Refuses connections.
    Closed,
}

impl Kind {
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Mtls | Self::Grpcs)
    }
}

/// What a TLS server presents and speaks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSetup {
    /// Days until its certificate ends; negative if it has ended.
    pub days: i64,
    pub versions: Vec<String>,
    pub alpn: Vec<String>,
    pub names: Vec<String>,
    /// The certificate is of an authority that nobody knows.
    pub stranger: bool,
}

impl Default for TlsSetup {
    fn default() -> Self {
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            days: 365,
            versions: all(&["1.2", "1.3"]),
            alpn: all(&["h2", "http/1.1"]),
            names: all(&["127.0.0.1", "localhost"]),
            stranger: false,
        }
    }
}

/// What is answered to a method and path. The first answer holds that is not used up and whose wants are met.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub on: String,
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, OneOrMore>,
    pub body: Option<String>,
    pub json: Option<Json>,
    pub base64: Option<String>,
    /// So many bytes of body.
    pub bytes: Option<usize>,
    /// How long it takes: `300ms`.
    pub delay: Option<String>,
    /// It answers the first so many requests only.
    pub times: Option<usize>,
    /// The connection is cut without an answer.
    #[serde(default)]
    pub reset: bool,
    #[serde(default)]
    pub expects: Wants,
}

fn ok() -> u16 {
    200
}

/// A header's value, or several headers of that name.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

/// What a request must be; one that is not is answered 418, with the reason.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wants {
    pub query: Option<String>,
    pub header: BTreeMap<String, String>,
    /// Parts of headers.
    pub header_has: BTreeMap<String, String>,
    pub no_header: Vec<String>,
    pub cookies: Option<BTreeMap<String, String>>,
    pub body: Option<String>,
    pub json: Option<Json>,
    /// The fields of a form, in order.
    pub form: Option<Vec<(String, String)>>,
    pub multipart: Option<Vec<Part>>,
    pub http: Option<String>,
}

/// A part of a multipart form.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub name: String,
    pub value: String,
    pub filename: Option<String>,
    #[serde(rename = "type")]
    pub media_type: Option<String>,
}

/// Reads every file of the corpus, in order; what is wrong with one is a panic with its name.
pub fn read() -> Vec<(String, Vec<Case>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&file).expect("text");
            match parse(&text) {
                Ok(cases) => (name, cases),
                Err(why) => panic!("{name}.toml: {why}"),
            }
        })
        .collect()
}

/// The cases of one file.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    let sheet: Sheet = toml::from_str(text).map_err(|error| error.to_string())?;
    if sheet.case.is_empty() {
        return Err("it has no cases".to_owned());
    }
    let mut names = std::collections::BTreeSet::new();
    for case in &sheet.case {
        if !names.insert(&case.name) {
            return Err(format!("two cases are called \"{}\"", case.name));
        }
        if let Some(why) = fault(case) {
            return Err(format!("case \"{}\": {why}", case.name));
        }
    }
    Ok(sheet.case)
}

/// What is wrong with a case, if anything.
fn fault(case: &Case) -> Option<&'static str> {
    let serves = !case.good.is_empty() || !case.bad.is_empty() || !case.other.is_empty();
    let answers = case.bad.iter().flat_map(|bad| bad.server.iter().chain(&bad.other));
    let mut answers = answers.flatten().chain(&case.good).chain(&case.other);
    let bodies = |answer: &Answer| {
        let given = [
            answer.body.is_some(),
            answer.json.is_some(),
            answer.base64.is_some(),
            answer.bytes.is_some(),
        ];
        given.into_iter().filter(|given| *given).count()
    };
    let same = |bad: &Bad| {
        bad.server.is_none()
            && bad.other.is_none()
            && bad.server_kind.is_none()
            && bad.tls.is_none()
            && bad.health.is_none()
            && bad.env.is_none()
            && bad.args.is_none()
    };
    if case.refused.is_some() && serves {
        Some("what is refused meets no server")
    } else if case.refused.is_none() && case.bad.is_empty() {
        Some("it has no bad server")
    } else if case.bad.iter().any(same) {
        Some("a bad server is the good one")
    } else if case.bad.iter().any(|bad| bad.says.is_empty()) || case.refused.as_deref() == Some("") {
        Some("words are expected, and there are none")
    } else {
        answers.find_map(|answer| {
            let delay = answer.delay.as_deref().map(humantime::parse_duration);
            if !answer.on.contains(' ') {
                Some("`on` is a method and a path")
            } else if bodies(answer) > 1 {
                Some("an answer has one body")
            } else if delay.is_some_and(|delay| delay.is_err()) {
                Some("`delay` is a time")
            } else {
                None
            }
        })
    }
}
