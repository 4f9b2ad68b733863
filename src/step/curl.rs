//! A command that repeats a request: for people, with secrets as variables.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::AUTHORIZATION;
use url::Url;

use super::redact::Redactor;
use super::render::render;
use super::values::{Value, Values};
use super::{Family, HttpWanted, Request, Step};

/// A longer command helps nobody, in bytes.
const COMMAND_BYTES_MAX: usize = 8 * 1024;

/// A `curl` command line that sends what `step` sends. Each secret in it is a shell variable: `$SMOKE_PASSWORD`, or
/// `$login_token` for a captured value. `None` if the request cannot be made, or cannot be written so.
pub fn curl(step: &Step, base: Option<&Url>, values: &Values) -> Option<String> {
    if step.send.is_socket() {
        return None;
    }
    // Each secret becomes a mark that no encoding changes; after encoding, the mark becomes the variable.
    let (marked, marks) = marked(values);
    let request = render(step, base, &marked).ok()?;
    let mut command = Command {
        line: "curl -sS -i".to_owned(),
        marks,
    };
    options(&mut command, &request);
    command.add("", request.url.as_str());
    let shown = Redactor::of(values).redact(&command.line);
    (shown.len() <= COMMAND_BYTES_MAX && !shown.contains(MARK)).then_some(shown)
}

const MARK: &str = "BackstopSecret";
const MARK_DIGITS: usize = 4;

/// The values with a mark for each secret, and the marks with the names of their variables.
fn marked(values: &Values) -> (Values, Vec<(String, String)>) {
    let mut marked = values.clone();
    let mut marks = Vec::new();
    for (number, (name, _)) in values.iter().filter(|(_, value)| value.secret).enumerate() {
        let mark = format!("{MARK}{number:04}");
        let variable = name.strip_prefix("secret.").unwrap_or(name).replace(['.', '-'], "_");
        marked.extend([(
            name.clone(),
            Value {
                json: mark.clone().into(),
                secret: true,
            },
        )]);
        marks.push((mark, variable));
    }
    (marked, marks)
}

/// A command line that grows.
struct Command {
    line: String,
    /// Marks, each with the variable that it stands for.
    marks: Vec<(String, String)>,
}

impl Command {
    /// Adds an option as it is.
    fn flag(&mut self, words: &str) {
        self.line.push(' ');
        self.line.push_str(words);
    }

    /// Adds an option with its argument, or an argument alone.
    fn add(&mut self, option: &str, argument: &str) {
        let argument = self.quoted(argument);
        self.flag(format!("{option} {argument}").trim_start());
    }

    /// The argument in single quotes, in which a shell reads nothing; variables stand between them in double quotes.
    fn quoted(&self, argument: &str) -> String {
        let mut quoted = String::new();
        let mut rest = argument;
        while let Some((before, behind)) = rest.split_once(MARK) {
            let (number, after) = behind.split_at_checked(MARK_DIGITS).unwrap_or((behind, ""));
            let mark = self
                .marks
                .iter()
                .find(|(mark, _)| mark.strip_prefix(MARK) == Some(number));
            quoted.push_str(&in_single_quotes(before));
            match mark {
                Some((_, name)) => quoted.push_str(&format!("\"${name}\"")),
                // Not one of ours: then the command is not shown.
                None => quoted.push_str(MARK),
            }
            rest = after;
        }
        if quoted.is_empty() || !rest.is_empty() {
            quoted.push_str(&in_single_quotes(rest));
        }
        quoted
    }
}

fn in_single_quotes(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn options(command: &mut Command, request: &Request) {
    match request.method {
        Method::GET => {}
        Method::HEAD => command.flag("-I"),
        _ => command.flag(&format!("-X {}", request.method)),
    }
    if request.follow_redirects {
        command.flag("-L");
    }
    command.flag(&format!("-m {}", request.timeout.as_secs_f64()));
    match request.route.http {
        HttpWanted::Any => {}
        HttpWanted::One => command.flag("--http1.1"),
        HttpWanted::Two if request.url.scheme() == "http" => command.flag("--http2-prior-knowledge"),
        HttpWanted::Two => command.flag("--http2"),
    }
    match request.route.family {
        Family::Any => {}
        Family::V4 => command.flag("-4"),
        Family::V6 => command.flag("-6"),
    }
    if let Some(dial) = &request.route.connect {
        let port = dial.port.map_or(String::new(), |port| port.to_string());
        let host = if dial.host.contains(':') {
            format!("[{}]", dial.host)
        } else {
            dial.host.clone()
        };
        command.add("--connect-to", &format!("::{host}:{port}"));
    }
    if let Some(proxy) = &request.route.proxy {
        command.add("-x", proxy.as_str());
    }
    for (name, value) in &request.headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        match basic_pair(&text).filter(|_| name == AUTHORIZATION) {
            Some(pair) => command.add("-u", &pair),
            None => command.add("-H", &format!("{name}: {text}")),
        }
    }
    if !request.cookies.is_empty() {
        let cookies: Vec<String> = request
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        command.add("-b", &cookies.join("; "));
    }
    match request.body.as_deref().map(std::str::from_utf8) {
        Some(Ok(text)) => command.add("--data-raw", text),
        Some(Err(_)) => command.add("--data-binary", "@BODY"),
        None => {}
    }
}

/// The user name and password of `Basic`, which hides them in base64, where no mark would be found.
fn basic_pair(header: &str) -> Option<String> {
    let coded = header.strip_prefix("Basic ")?;
    String::from_utf8(STANDARD.decode(coded).ok()?).ok()
}
