use proptest::prelude::*;

use super::*;

/// Hands out its bytes in pieces of the given sizes.
struct Chunks(Vec<Vec<u8>>);

impl AsyncRead for Chunks {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        if let Some(first) = self.0.first_mut() {
            let n = first.len().min(buf.remaining());
            buf.put_slice(&first[..n]);
            first.drain(..n);
            if first.is_empty() {
                self.0.remove(0);
            }
        }
        std::task::Poll::Ready(Ok(()))
    }
}

fn frames_in(chunks: Vec<Vec<u8>>) -> Vec<Frame> {
    let mut reader = FrameReader::new(Chunks(chunks.into_iter().filter(|c| !c.is_empty()).collect()));
    let mut frames = Vec::new();
    // The input is always ready, so nothing is ever waited for.
    let mut next = || futures::FutureExt::now_or_never(reader.next()).unwrap().unwrap();
    while let Some(frame) = next() {
        frames.push(frame);
    }
    frames
}

fn frames(bytes: &[u8]) -> Vec<Frame> {
    frames_in(vec![bytes.to_vec()])
}

fn body(text: &str) -> Frame {
    Frame::Body(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn bodies_are_cut_out() {
    assert_eq!(
        frames(b"Content-Length: 2\r\n\r\n{}content-length:3\r\nContent-Type: x; charset=utf-8\r\n\r\n[1]"),
        [body("{}"), body("[1]")]
    );
    assert_eq!(frames(b"Content-Length: 2\n\n{}"), [body("{}")]);
    assert_eq!(frames(b"Content-Length: 0\r\n\r\nContent-Length: 2\r\n\r\n{}"), [body(""), body("{}")]);
}

#[test]
fn a_header_that_says_nothing_is_skipped() {
    for bad in [
        "Content-Type: x\r\n\r\n{\"a\":1}",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 99999999999999999999999\r\n\r\n",
        "Content-Length: x\r\n\r\n",
        "hello\r\n\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ] {
        let found = frames(format!("{bad}Content-Length: 2\r\n\r\n{{}}").as_bytes());
        assert_eq!(found.last(), Some(&body("{}")), "{bad:?}");
        assert_eq!(found.first(), Some(&Frame::BadHeader), "{bad:?}");
    }
}

#[test]
fn an_endless_header_is_given_up() {
    let mut bytes = vec![b'x'; MAX_HEADER * 3];
    bytes.extend_from_slice(b"Content-Length: 2\r\n\r\n{}");
    assert_eq!(frames(&bytes), [Frame::BadHeader, body("{}")]);
}

#[test]
fn a_body_that_is_too_large_is_skipped_without_keeping_it() {
    let length = usize::try_from(MAX_BODY).unwrap() + 1;
    let mut chunks = vec![format!("Content-Length: {length}\r\n\r\n").into_bytes()];
    for _ in 0..64 {
        chunks.push(vec![b' '; 1 << 20]);
    }
    chunks.push(b" Content-Length: 2\r\n\r\n{}".to_vec());
    assert_eq!(frames_in(chunks), [Frame::TooLarge(length as u64), body("{}")]);
}

#[test]
fn the_end_in_the_middle_is_the_end() {
    assert_eq!(frames(b""), []);
    assert_eq!(frames(b"Content-Len"), []);
    assert_eq!(frames(b"Content-Length: 10\r\n\r\n{}"), []);
}

proptest! {
    #[test]
    fn no_bytes_panic_or_hang(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        frames(&bytes);
    }

    #[test]
    fn header_like_bytes_neither(parts in proptest::collection::vec(
        prop_oneof![
            Just("Content-Length: ".to_owned()), Just("\r\n".to_owned()), Just("\n".to_owned()), Just("{}".to_owned()),
            "[0-9]{1,20}", Just("Content-Type: x".to_owned()), Just(":".to_owned()), "[a-z]{0,5}",
        ], 0..60)) {
        frames(parts.concat().as_bytes());
    }

    #[test]
    fn the_cutting_of_the_stream_does_not_matter(
        bodies in proptest::collection::vec("[ -~]{0,40}", 0..6),
        garbage in "[a-z]{0,10}",
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for text in &bodies {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
            expected.push(body(text));
        }
        if !garbage.is_empty() {
            bytes.extend_from_slice(format!("{garbage}\r\n\r\n").as_bytes());
            expected.push(Frame::BadHeader);
        }
        bytes.extend_from_slice(b"Content-Length: 2\r\n\r\n{}");
        expected.push(body("{}"));
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let chunks = at.windows(2).map(|w| bytes[w[0]..w[1]].to_vec()).collect();
        prop_assert_eq!(frames_in(chunks), expected);
    }
}
