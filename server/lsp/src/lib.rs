//! The language server front.

mod documents;
mod ext;
mod framing;
mod message;
mod outbox;
mod position;
mod transport;
mod uri;
