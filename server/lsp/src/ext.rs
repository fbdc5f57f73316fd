//! What goes beyond the protocol: methods of our own.

/// Text of an answer as it arrives. To rich clients.
pub const DELTA: &str = "assist/delta";
/// An event of a run. To rich clients.
pub const EVENT: &str = "assist/event";
