//! Whether a request is what a case expects of it, told from the server's side.

use std::collections::BTreeMap;

use http::Version;
use http::request::Parts;

use super::corpus::{Part, Wants};

/// Why the request is not as wanted, if so.
pub fn meets(wants: &Wants, head: &Parts, body: &[u8]) -> Result<(), String> {
    let headers = |name: &str| -> Option<String> {
        let values: Vec<_> = head.headers.get_all(name).iter().collect();
        let values: Vec<_> = values
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!values.is_empty()).then(|| values.join(" | "))
    };
    if let Some(query) = &wants.query {
        same("query", &Some(query.as_str()), &head.uri.query())?;
    }
    for (name, wanted) in &wants.header {
        same(name, &Some(wanted), &headers(name).as_ref())?;
    }
    for (name, wanted) in &wants.header_has {
        let found = headers(name).unwrap_or_default();
        if !found.contains(wanted) {
            return Err(format!("{name} is {found:?}, without {wanted:?}"));
        }
    }
    for name in &wants.no_header {
        same(name, &None, &headers(name))?;
    }
    if let Some(cookies) = &wants.cookies {
        same("cookies", cookies, &cookies_of(&headers("cookie").unwrap_or_default()))?;
    }
    if let Some(text) = &wants.body {
        same("body", &text.as_str(), &&*String::from_utf8_lossy(body))?;
    }
    if let Some(json) = &wants.json {
        same("json", &Some(json), &serde_json::from_slice(body).ok().as_ref())?;
    }
    if let Some(form) = &wants.form {
        let found: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
        same("form", form, &found)?;
    }
    if let Some(parts) = &wants.multipart {
        let content_type = headers("content-type").unwrap_or_default();
        same("multipart", parts, &multipart(&content_type, body)?)?;
    }
    if let Some(http) = &wants.http {
        let found = if head.version == Version::HTTP_2 { "2" } else { "1.1" };
        same("http", &http.as_str(), &found)?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, wanted: &T, found: &T) -> Result<(), String> {
    if wanted == found {
        return Ok(());
    }
    Err(format!("{what} is {found:?}, not {wanted:?}"))
}

fn cookies_of(header: &str) -> BTreeMap<String, String> {
    let pairs = header.split([';', '|']).filter_map(|pair| pair.trim().split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The parts of a multipart form (RFC 7578).
fn multipart(content_type: &str, body: &[u8]) -> Result<Vec<Part>, String> {
    let boundary = content_type
        .strip_prefix("multipart/form-data; boundary=")
        .ok_or_else(|| format!("content-type is {content_type:?}"))?
        .trim_matches('"');
    let text = String::from_utf8_lossy(body).into_owned();
    let text = format!("\r\n{text}");
    let delimiter = format!("\r\n--{boundary}");
    let mut pieces = text.split(delimiter.as_str()).skip(1);
    let mut parts = Vec::new();
    loop {
        let piece = pieces.next().ok_or("the form does not end")?;
        if piece.starts_with("--") {
            return Ok(parts);
        }
        let (head, value) = piece.split_once("\r\n\r\n").ok_or("a part has no end of its head")?;
        let line = |name: &str| {
            let mut lines = head.lines();
            lines.find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let disposition = line("content-disposition").ok_or("a part has no disposition")?;
        let parameter = |name: &str| {
            let (_, rest) = disposition.split_once(&format!("; {name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        parts.push(Part {
            name: parameter("name").ok_or("a part has no name")?,
            value: value.to_owned(),
            filename: parameter("filename"),
            media_type: line("content-type"),
        });
    }
}
