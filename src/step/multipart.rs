//! Multipart bodies (RFC 7578).

use sha2::{Digest, Sha256};

use super::json_template::fill_text;
use super::render::RenderError;
use super::send::{FormPart, PartContent};
use super::values::Values;

/// The body and its content type. The boundary follows from what the parts hold, so that it cannot stand in them by
/// anybody's choice, and equal parts make equal bodies.
pub(super) fn fill(parts: &[FormPart], values: &Values) -> Result<(Vec<u8>, String), RenderError> {
    let mut hasher = Sha256::new();
    let mut filled: Vec<(String, Vec<u8>)> = Vec::new();
    for part in parts {
        let name = quoted(&part.name);
        let (head, content) = match &part.content {
            PartContent::Value(template) => {
                let head = format!("Content-Disposition: form-data; name={name}\r\n\r\n");
                (head, fill_text(template, values)?.into_bytes())
            }
            PartContent::File {
                bytes,
                filename,
                media_type,
            } => {
                let filename = quoted(filename);
                let head = format!(
                    "Content-Disposition: form-data; name={name}; filename={filename}\r\nContent-Type: {media_type}\r\n\r\n"
                );
                (head, bytes.to_vec())
            }
        };
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content);
        filled.push((head, content));
    }
    let boundary = format!("backstop-{}", hex::encode(hasher.finalize()));
    let mut body = Vec::new();
    for (head, content) in filled {
        body.extend_from_slice(format!("--{boundary}\r\n{head}").as_bytes());
        body.extend_from_slice(&content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((body, format!("multipart/form-data; boundary={boundary}")))
}

/// A name in quotes, escaped as browsers do it (HTML Standard, "multipart/form-data encoding algorithm").
fn quoted(name: &str) -> String {
    let escaped = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    format!("\"{escaped}\"")
}
