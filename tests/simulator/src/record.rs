//! What a test can look at afterwards.

use serde_json::{Value, json};

use crate::asked::Asked;
use crate::http::HttpRequest;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Sent to the end of the body, be the text cut or not.
    Sent,
    /// The script broke the connection.
    Broken,
    /// The client closed the connection before the end.
    Disconnected,
}

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// All headers as they came, keys of the user included.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The key that was sent, without `Bearer`.
    pub key: Option<String>,
    /// What a model request asks; `None` for other requests and for bodies that could not be read.
    pub asked: Option<Asked>,
    /// The index of the rule that answered.
    pub rule: Option<usize>,
    /// The status that was answered.
    pub status: Option<u16>,
    /// The text of the answer, up to where the script cuts it.
    pub text: String,
    /// `None` while the answer is being sent.
    pub finish: Option<Finish>,
}

impl Recorded {
    pub(crate) fn new(request: &HttpRequest) -> Self {
        Self {
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            key: None,
            asked: None,
            rule: None,
            status: None,
            text: String::new(),
            finish: None,
        }
    }

    /// The first header of this name, case aside.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The text of the newest user message; empty if this is no model request.
    pub fn last_user(&self) -> &str {
        self.asked.as_ref().map_or("", Asked::last_user)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "body": self.json(),
            "key": self.key,
            "model": self.asked.as_ref().map(|asked| &asked.model),
            "system": self.asked.as_ref().map(|asked| &asked.system),
            "lastUser": self.last_user(),
            "rule": self.rule,
            "status": self.status,
            "text": self.text,
            "finish": self.finish.map(|finish| match finish {
                Finish::Sent => "sent",
                Finish::Broken => "broken",
                Finish::Disconnected => "disconnected",
            }),
        })
    }
}
