//! Reading an answer's body: decoded, up to its limit, and not a byte further.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use futures_util::StreamExt as _;
use http_body_util::BodyStream;
use tokio::io::{AsyncRead, AsyncReadExt as _, BufReader};
use tokio_util::io::StreamReader;

use super::failure::{Failure, of_error};
use crate::domain::Reason;

/// What is offered, in order.
pub(super) const ENCODINGS: &str = "gzip, br, zstd";
/// A decoder keeps at most 8 MiB of what it decoded, as RFC 8878 §3.1.1.1.2 advises; the sender chooses how much.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// How much is read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// A body, and what came after it.
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    pub(super) grpc_status: Option<u16>,
}

/// Reads `body`, which has this `Content-Encoding`. Over `bytes_max`, decoded, it is cut or is a failure.
pub(super) async fn read(
    body: reqwest::Body,
    encoding: Option<&str>,
    bytes_max: usize,
    cut: bool,
) -> Result<Read, Failure> {
    let trailers = Arc::new(Mutex::new(None));
    let failure = Arc::new(Mutex::new(None));
    let (noted, failed) = (Arc::clone(&trailers), Arc::clone(&failure));
    let data = BodyStream::new(body).filter_map(move |frame| {
        let found = match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => Some(Ok(data)),
                Err(other) => {
                    let status = other.trailers_ref().and_then(grpc_status);
                    *noted.lock().unwrap_or_else(PoisonError::into_inner) = status;
                    None
                }
            },
            Err(error) => {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(of_error(&error));
                Some(Err(io::Error::other("the connection failed")))
            }
        };
        std::future::ready(found)
    });
    let raw = BufReader::new(StreamReader::new(data));
    let mut reader: Pin<Box<dyn AsyncRead + Send + '_>> = match encoding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "identity") => Box::pin(raw),
        Some("gzip" | "x-gzip") => Box::pin(GzipDecoder::new(raw)),
        Some("br") => Box::pin(BrotliDecoder::new(raw)),
        Some("zstd") => Box::pin(ZstdDecoder::with_params(
            raw,
            &[DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX)],
        )),
        Some(_) => {
            let why = "the body is encoded in a way that was not asked for";
            return Err(Failure::new(Reason::Protocol, why));
        }
    };
    let bytes = up_to(&mut reader, bytes_max, cut).await;
    drop(reader);
    let bytes = bytes.map_err(|stop| {
        let of_network = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match stop {
            Stop::TooLarge => Failure::new(Reason::TooLarge, format!("the body is over {bytes_max} bytes")),
            Stop::Broken(error) => of_network
                .unwrap_or_else(|| Failure::new(Reason::Protocol, format!("the body cannot be decoded: {error}"))),
        }
    })?;
    let grpc_status = *trailers.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Read { bytes, grpc_status })
}

/// Why reading ended early.
enum Stop {
    TooLarge,
    Broken(io::Error),
}

async fn up_to(reader: &mut (dyn AsyncRead + Send + Unpin), bytes_max: usize, cut: bool) -> Result<Vec<u8>, Stop> {
    let mut body = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = reader.read(&mut chunk).await.map_err(Stop::Broken)?;
        let room = bytes_max.saturating_sub(body.len());
        let new = chunk.get(..read).unwrap_or_default();
        if new.is_empty() {
            return Ok(body);
        }
        body.extend_from_slice(new.get(..room).unwrap_or(new));
        if read > room {
            return if cut { Ok(body) } else { Err(Stop::TooLarge) };
        }
    }
}

fn grpc_status(trailers: &http::HeaderMap) -> Option<u16> {
    trailers.get("grpc-status")?.to_str().ok()?.parse().ok()
}
