//! What a run tells the world. An event is a row in the database before anyone sees it, so every client can reconnect
//! and replay from any number.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{MessageId, RunId, Timestamp};

/// The version of the envelope.
pub const EVENT_VERSION: u32 = 1;

/// The kinds of events. The first five are the names of the seed's WebSocket events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A stage began work. `data: {agent, component?}`
    AgentStarted,
    /// A stage ended well. `data: {agent, component?}`
    AgentCompleted,
    /// A stage could not do its work. `data: {agent, component?, reason}`
    AgentFailed,
    /// The run's state changed, or a line of progress. `data: {state?, reason?, message?, percent?}`
    Status,
    /// The run ended. `data: {state, summary, changedFiles}`
    Completed,
    /// A piece of the answer, as stored: coalesced. `data: {messageId, offset, text}`
    Text,
    /// The gate found a component whole. `data: {component, path, lines, verdict}`
    ComponentVerified,
    /// A component is in place. `data: {component, path, lines, changeSet}`
    ComponentApplied,
    /// A component was not applied. `data: {component, path, verdict, reasons}`
    ComponentRefused,
    /// The model's output broke off. `data: {component, path, cause, receivedBytes, attempt}`
    Truncated,
    /// A continuation was stitched on. `data: {component, path, attempt, anchorBytes}`
    Continued,
    /// The user is asked. `data: {question, detail?, choices?}`
    ApprovalRequested,
    /// Money or tokens were used or refused. `data: {model, inputTokens, outputTokens, costUsd?}`
    Budget,
    /// Assist looked at something, or was refused to. `data: {tool, about, state, message?}`
    Tool,
    /// A command was started, printed something, ended, or was refused. `data: {command, state, …}`
    Command,
    /// Something was remembered, or what is remembered was used. `data: {change, memoryId, category, key, value, replaces?}`
    Memory,
    /// Work was committed, pushed or deployed, or could not be. `data: {what, state, message, link?, commit?, deployment?}`
    Delivery,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 17] = [
        EventKind::AgentStarted,
        EventKind::AgentCompleted,
        EventKind::AgentFailed,
        EventKind::Status,
        EventKind::Completed,
        EventKind::Text,
        EventKind::ComponentVerified,
        EventKind::ComponentApplied,
        EventKind::ComponentRefused,
        EventKind::Truncated,
        EventKind::Continued,
        EventKind::ApprovalRequested,
        EventKind::Budget,
        EventKind::Tool,
        EventKind::Command,
        EventKind::Memory,
        EventKind::Delivery,
    ];

    /// The word on the wire and in the `events.type` column.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::AgentStarted => "agent_started",
            EventKind::AgentCompleted => "agent_completed",
            EventKind::AgentFailed => "agent_failed",
            EventKind::Status => "status",
            EventKind::Completed => "completed",
            EventKind::Text => "text",
            EventKind::ComponentVerified => "component_verified",
            EventKind::ComponentApplied => "component_applied",
            EventKind::ComponentRefused => "component_refused",
            EventKind::Truncated => "truncated",
            EventKind::Continued => "continued",
            EventKind::ApprovalRequested => "approval_requested",
            EventKind::Budget => "budget",
            EventKind::Tool => "tool",
            EventKind::Command => "command",
            EventKind::Memory => "memory",
            EventKind::Delivery => "delivery",
        }
    }
}

impl FromStr for EventKind {
    type Err = super::id::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || super::id::IdError { kind: "event", text: text.to_owned() };
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(unknown)
    }
}

/// The envelope, as sent to clients and kept in the `events` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Version of the envelope: [`EVENT_VERSION`].
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// Number within the run, from 1, without gaps.
    pub seq: u64,
    /// When it happened, in milliseconds since the Unix epoch.
    pub ts: Timestamp,
    /// What kind it is.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// What the kind's documentation says.
    pub data: Value,
}

/// A piece of the answer as it streams. Live only; the same text is stored coalesced in `text` events, and the offset
/// lets a client join the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextDelta {
    /// The run.
    pub run: RunId,
    /// The message the text belongs to.
    pub message_id: MessageId,
    /// Where in the message it begins, in UTF-8 bytes.
    pub offset: usize,
    /// The text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse::<EventKind>(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
