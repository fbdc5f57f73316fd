//! Sends an answer, wrong bytes and all, and notices when the client goes away.

use std::io;
use std::io::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::record::Finish;

/// Between the last byte and a reset.
const RESET_AFTER: Duration = Duration::from_millis(30);

/// An answer, ready to be sent.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) framing: Framing,
    pub(crate) steps: Vec<Step>,
    pub(crate) close: Close,
    /// Bytes in each TCP write.
    pub(crate) write_bytes: Option<usize>,
    /// Hold the answer before its first byte.
    pub(crate) held: bool,
    /// Hold the answer until so many requests with these words have come.
    pub(crate) awaits: Option<(String, usize)>,
}

/// How the client learns where the body ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Chunked,
    /// `content-length` with this value, true or not.
    Length(usize),
    /// No answer at all.
    Silence,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A piece of the body.
    Bytes(Vec<u8>),
    Wait(Duration),
    /// Hold until released.
    Stall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// The body ends in order and the connection stays.
    Finish,
    /// The connection is closed, the body is not ended.
    Unfinished,
    /// The connection is reset.
    Reset,
}

impl Plan {
    /// Compresses the body. What one step sends can be read when it has arrived.
    pub(crate) fn gzip(&mut self) {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        for step in &mut self.steps {
            let Step::Bytes(bytes) = step else { continue };
            // Writing into memory does not fail; if it did, the client would see a broken body, which a test reports.
            if encoder.write_all(bytes).and_then(|()| encoder.flush()).is_ok() {
                *bytes = std::mem::take(encoder.get_mut());
            }
        }
        if self.close == Close::Finish
            && let Ok(end) = encoder.finish()
        {
            self.steps.push(Step::Bytes(end));
        }
        if let Framing::Length(length) = &mut self.framing {
            let sizes = self.steps.iter().map(|step| match step {
                Step::Bytes(bytes) => bytes.len(),
                _ => 0,
            });
            *length = sizes.sum();
        }
        self.headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
    }

    /// Cuts the body into pieces of this size, whatever the pieces were. Pauses stay where they are.
    pub(crate) fn rechunk(&mut self, size: usize) {
        let size = size.max(1);
        let mut steps = Vec::new();
        let mut body: Vec<u8> = Vec::new();
        let flush = |body: &mut Vec<u8>, steps: &mut Vec<Step>| {
            steps.extend(body.chunks(size).map(|part| Step::Bytes(part.to_vec())));
            body.clear();
        };
        for step in self.steps.drain(..) {
            match step {
                Step::Bytes(bytes) => body.extend(bytes),
                pause => {
                    flush(&mut body, &mut steps);
                    steps.push(pause);
                }
            }
        }
        flush(&mut body, &mut steps);
        self.steps = steps;
    }
}

/// Lets the sender of an answer say that it holds, and wait.
pub(crate) trait Gate {
    /// Returns when the test releases the answer.
    async fn hold(&self);
    /// Returns when so many requests with these words have come.
    async fn asked(&self, words: &str, times: usize);
}

/// Sends the answer. `buffer` takes what the client sends meanwhile.
pub(crate) async fn play(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    plan: &Plan,
    gate: &impl Gate,
) -> Finish {
    let finish = {
        let (mut reader, mut writer) = stream.split();
        tokio::select! {
            biased;
            () = gone(&mut reader, buffer) => Finish::Disconnected,
            sent = send(&mut writer, plan, gate) => match (sent, plan.close) {
                (Err(_), _) => Finish::Disconnected,
                (Ok(()), Close::Finish) => Finish::Sent,
                (Ok(()), _) => Finish::Broken,
            },
        }
    };
    if plan.close == Close::Reset {
        // A reset also takes back what the client's side has received but the client has not read yet. A moment makes
        // it likely that it has; no test may rely on more than that what it got is a beginning of what was sent.
        tokio::time::sleep(RESET_AFTER).await;
        // Without lingering, closing the socket sends RST; if that cannot be set, the socket is closed all the same.
        stream.set_zero_linger().ok();
    }
    finish
}

/// Returns when the client has closed its side.
async fn gone(reader: &mut ReadHalf<'_>, buffer: &mut Vec<u8>) {
    while matches!(reader.read_buf(buffer).await, Ok(read) if read > 0) {}
}

async fn send(writer: &mut WriteHalf<'_>, plan: &Plan, gate: &impl Gate) -> io::Result<()> {
    if plan.held {
        gate.hold().await;
    }
    if let Some((words, times)) = &plan.awaits {
        gate.asked(words, *times).await;
    }
    let framing = match plan.framing {
        Framing::Chunked => "transfer-encoding: chunked".to_owned(),
        Framing::Length(length) => format!("content-length: {length}"),
        Framing::Silence => return Ok(()),
    };
    let mut head = format!("HTTP/1.1 {} {}\r\n", plan.status, reason(plan.status));
    for (name, value) in &plan.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("{framing}\r\n\r\n"));
    write(writer, head.as_bytes(), plan.write_bytes).await?;
    let chunked = plan.framing == Framing::Chunked;
    for step in &plan.steps {
        match step {
            Step::Bytes(bytes) if bytes.is_empty() => {}
            Step::Bytes(bytes) if chunked => {
                let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                chunk.extend(bytes);
                chunk.extend(b"\r\n");
                write(writer, &chunk, plan.write_bytes).await?;
            }
            Step::Bytes(bytes) => write(writer, bytes, plan.write_bytes).await?,
            Step::Wait(time) => tokio::time::sleep(*time).await,
            Step::Stall => gate.hold().await,
        }
        // One answer must not starve the others: all of them share a thread.
        tokio::task::yield_now().await;
    }
    if chunked && plan.close == Close::Finish {
        write(writer, b"0\r\n\r\n", plan.write_bytes).await?;
    }
    Ok(())
}

async fn write(writer: &mut WriteHalf<'_>, bytes: &[u8], each: Option<usize>) -> io::Result<()> {
    for part in bytes.chunks(each.unwrap_or(bytes.len()).max(1)) {
        writer.write_all(part).await?;
        if each.is_some() {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
