//! Just enough HTTP/1.1 to read a client's requests; answers are written by hand in `playback`, where the wrong bytes
//! must be possible.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// No model request is larger.
const MAX_REQUEST: usize = 64 * 1024 * 1024;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpRequest {
    /// The first header of this name, case aside.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads the next request. `buffer` holds what came beyond it. `None`: the client closed the connection.
pub(crate) async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> io::Result<Option<HttpRequest>> {
    let (mut request, head) = loop {
        if let Some(parsed) = parse_head(buffer)? {
            break parsed;
        }
        if !more(stream, buffer).await? {
            return if buffer.is_empty() { Ok(None) } else { Err(bad("the request's head is cut")) };
        }
    };
    buffer.drain(..head);
    let chunked = request.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    if chunked {
        request.body = read_chunks(stream, buffer).await?;
    } else {
        let length = match request.header("content-length") {
            Some(value) => value.trim().parse().map_err(|_| bad("content-length is not a number"))?,
            None => 0,
        };
        request.body = take(stream, buffer, length).await?;
    }
    Ok(Some(request))
}

fn parse_head(buffer: &[u8]) -> io::Result<Option<(HttpRequest, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(buffer).map_err(|error| bad(&error.to_string()))?;
    let httparse::Status::Complete(length) = status else { return Ok(None) };
    let headers = parsed
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let request = HttpRequest {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
    };
    Ok(Some((request, length)))
}

async fn more(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<bool> {
    if buffer.len() > MAX_REQUEST {
        return Err(bad("the request is too large"));
    }
    Ok(stream.read_buf(buffer).await? > 0)
}

async fn take(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    length: usize,
) -> io::Result<Vec<u8>> {
    while buffer.len() < length {
        if !more(stream, buffer).await? {
            return Err(bad("the request's body is cut"));
        }
    }
    Ok(buffer.drain(..length).collect())
}

async fn read_chunks(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (used, size) = loop {
            match httparse::parse_chunk_size(buffer) {
                Ok(httparse::Status::Complete((used, size))) => break (used, size),
                Ok(httparse::Status::Partial) => {
                    if !more(stream, buffer).await? {
                        return Err(bad("the request's body is cut"));
                    }
                }
                Err(_) => return Err(bad("the chunk size is not a number")),
            }
        };
        buffer.drain(..used);
        let size = usize::try_from(size).map_err(|_| bad("the chunk is too large"))?;
        body.extend(take(stream, buffer, size).await?);
        take(stream, buffer, 2).await?;
        if size == 0 {
            return Ok(body);
        }
    }
}
