//! What comes from the server: what an editor treats by itself, and what waits to be expected.

use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{Client, Shared, State, Typing, choice_answer, report_changes};

/// A longer wait is a failed test: something hangs. Far more than a slow machine under load takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// A message in the inbox.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The message as it came.
    pub message: Value,
    /// What the client answered to it by itself; null if nothing.
    pub answer: Value,
    /// Why it breaks the protocol. Such a message cannot be ignored.
    pub wrong: Option<String>,
}

impl Seen {
    pub(super) fn broken(why: &str) -> Self {
        Self { message: Value::Null, answer: Value::Null, wrong: Some(why.to_owned()) }
    }

    /// The method; empty for an answer.
    pub fn method(&self) -> &str {
        self.message["method"].as_str().unwrap_or_default()
    }

    /// The parameters.
    pub fn params(&self) -> &Value {
        &self.message["params"]
    }
}

/// Takes one message off the pipe.
pub(super) fn receive(shared: &Arc<Shared>, message: Value) {
    shared.change(|state| {
        state.log.push(format!("<- {}", super::brief(&message)));
        let method = message["method"].as_str().map(str::to_owned);
        if message["jsonrpc"] != "2.0" {
            state.inbox.push(Seen {
                message,
                answer: Value::Null,
                wrong: Some("not JSON-RPC 2.0".to_owned()),
            });
        } else if let Some(method) = method {
            let is_request = !message["id"].is_null();
            let seen = if is_request {
                request(shared, state, &method, message)
            } else {
                Some(Seen { message, answer: Value::Null, wrong: None })
            };
            let is_ignored = |seen: &Seen| {
                state.ignored.contains(&method) || state.passed_over.iter().any(|is| is(&seen.message))
            };
            if let Some(seen) = seen.filter(|seen| seen.wrong.is_some() || !is_ignored(seen)) {
                state.inbox.push(seen);
            }
        } else {
            response(state, message);
        }
    });
}

fn response(state: &mut State, message: Value) {
    let waiter = message["id"].as_i64().and_then(|id| state.pending.remove(&id));
    let both = message.get("result").is_some() == message.get("error").is_some();
    if both {
        let wrong = Some("an answer has either a result or an error".to_owned());
        state.inbox.push(Seen { message: message.clone(), answer: Value::Null, wrong });
    }
    let answer = match message.get("error") {
        Some(error) => Err(error.clone()),
        None => Ok(message["result"].clone()),
    };
    let unread = match waiter {
        Some(waiter) => waiter.send(answer).is_err(),
        None => true,
    };
    if unread && !both {
        state.inbox.push(Seen { message, answer: Value::Null, wrong: None });
    }
}

/// Answers a request as an editor does. `None`: nothing a test needs to see.
fn request(shared: &Arc<Shared>, state: &mut State, method: &str, message: Value) -> Option<Seen> {
    let id = message["id"].clone();
    let params = message["params"].clone();
    let mut wrong = None;
    let answer = match method {
        "workspace/applyEdit" => {
            let (answer, fault) = apply(shared, state, &params, &id);
            wrong = fault;
            answer
        }
        "window/workDoneProgress/create" | "client/registerCapability" | "client/unregisterCapability" => {
            reply(state, &id, Value::Null);
            return None;
        }
        "workspace/configuration" => {
            let items = params["items"].as_array().map_or(0, Vec::len);
            let settings = vec![state.settings.clone(); items];
            reply(state, &id, Value::from(settings));
            return None;
        }
        "window/showMessageRequest" => {
            let text = params["message"].as_str().unwrap_or_default();
            let choice = state.choices.iter().find(|(part, _)| text.contains(part.as_str()));
            match choice.map(|(_, choice)| choice_answer(&params, choice)) {
                Some(Ok(answer)) => reply(state, &id, answer),
                Some(Err(fault)) => {
                    wrong = Some(fault);
                    Value::Null
                }
                // Open until the test chooses.
                None => Value::Null,
            }
        }
        "assist/save" => {
            let saved = save(state, &params);
            reply(state, &id, json!({ "saved": saved }))
        }
        "window/showDocument" => reply(state, &id, json!({"success": true})),
        _ => {
            let error = json!({"code": -32601, "message": "method not found"});
            state.send(&json!({"jsonrpc": "2.0", "id": id, "error": error}));
            error
        }
    };
    Some(Seen { message, answer, wrong })
}

/// Writes a document to its file, as the user would, if it still has the version asked for.
fn save(state: &State, params: &Value) -> bool {
    let uri = params["uri"].as_str().unwrap_or_default();
    let Some(document) = state.documents.open.get(uri) else { return false };
    let file =
        uri.strip_prefix("file://").map(|path| percent_decode_str(path).decode_utf8_lossy().into_owned());
    params["version"] == document.version
        && file.is_some_and(|file| std::fs::write(file, &document.text).is_ok())
}

fn reply(state: &mut State, id: &Value, result: Value) -> Value {
    state.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    result
}

fn apply(shared: &Arc<Shared>, state: &mut State, params: &Value, id: &Value) -> (Value, Option<String>) {
    if let Some(interruption) = state.interruptions.pop_front() {
        let mut typing = Typing { documents: &mut state.documents, touched: Vec::new() };
        interruption(&mut typing);
        let touched = typing.touched;
        report_changes(shared, state, &touched);
    }
    if let Some(reason) = state.refusals.pop_front() {
        let answer = json!({"applied": false, "failureReason": reason});
        return (reply(state, id, answer), None);
    }
    let verdict = state.documents.apply(params);
    // The order in which the news arrives is the editor's: Neovim answers first and reports later.
    report_changes(shared, state, &verdict.changed);
    (reply(state, id, verdict.answer), verdict.wrong)
}

impl Client {
    /// Waits for a message and takes it out of the inbox. Messages before it stay.
    pub async fn expect(&self, what: &str, is: impl Fn(&Seen) -> bool) -> Seen {
        let mut version = self.shared.version.subscribe();
        let wait = async {
            loop {
                version.borrow_and_update();
                {
                    let mut state = self.shared.state();
                    if let Some(at) = state.inbox.iter().position(|seen| seen.wrong.is_none() && is(seen)) {
                        return Some(state.inbox.remove(at));
                    }
                    if state.closed || state.inbox.iter().any(|seen| seen.wrong.is_some()) {
                        return None;
                    }
                }
                // The sender lives in `shared`.
                version.changed().await.ok();
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Some(seen)) => seen,
            Ok(None) => {
                let wrong: Vec<_> = self.unread().into_iter().filter_map(|seen| seen.wrong).collect();
                panic!("the server has gone, or went wrong, without {what}: {wrong:?}\n{}", self.log())
            }
            Err(_) => panic!("waited in vain for {what}; inbox: {:#?}\n{}", self.unread(), self.log()),
        }
    }

    /// Waits for a notification; returns its parameters.
    pub async fn expect_notification(&self, method: &str) -> Value {
        let is = |seen: &Seen| seen.method() == method && seen.message["id"].is_null();
        self.expect(method, is).await.params().clone()
    }

    /// Waits for a request of the server; returns the whole message.
    pub async fn expect_request(&self, method: &str) -> Value {
        self.expect(method, |seen| seen.method() == method && !seen.message["id"].is_null()).await.message
    }

    /// Waits for a `window/showMessage` that contains `part`; returns the whole sentence.
    pub async fn expect_message(&self, part: &str) -> String {
        let text = |seen: &Seen| seen.params()["message"].as_str().unwrap_or_default().to_owned();
        let is = |seen: &Seen| seen.method() == "window/showMessage" && text(seen).contains(part);
        text(&self.expect(&format!("a message with {part:?}"), is).await)
    }

    /// Waits for a question to the user that contains `part`; returns the whole request, for [`Client::choose`].
    pub async fn expect_question(&self, part: &str) -> Value {
        let is = |seen: &Seen| {
            let text = seen.params()["message"].as_str().unwrap_or_default();
            seen.method() == "window/showMessageRequest" && text.contains(part)
        };
        self.expect(&format!("a question with {part:?}"), is).await.message
    }

    /// Waits for an edit of a document; returns it with the answer the client gave.
    pub async fn expect_edit(&self, uri: &str) -> Seen {
        let is = |seen: &Seen| {
            let changes = seen.params()["edit"]["documentChanges"].as_array();
            let here = |change: &Value| change["textDocument"]["uri"] == uri;
            seen.method() == "workspace/applyEdit" && changes.is_some_and(|changes| changes.iter().any(here))
        };
        self.expect(&format!("an edit of {uri}"), is).await
    }

    /// Waits for an event of a run; returns its `data`.
    pub async fn expect_event(&self, run: &str, kind: &str) -> Value {
        let is = |seen: &Seen| {
            let params = seen.params();
            seen.method() == "assist/event" && params["run"] == run && params["type"] == kind
        };
        let seen = self.expect(&format!("{kind} of {run}"), is).await;
        seen.params()["data"].clone()
    }

    /// Waits for a run's `completed` event and takes all its events out of the inbox, in order. Checks that their numbers
    /// have no gaps.
    pub async fn expect_run(&self, run: &str) -> Vec<Value> {
        let of_run = |seen: &Seen| seen.method() == "assist/event" && seen.params()["run"] == run;
        let last = self
            .expect(&format!("the end of {run}"), |seen| of_run(seen) && seen.params()["type"] == "completed")
            .await;
        let mut state = self.shared.state();
        let (events, rest) = std::mem::take(&mut state.inbox).into_iter().partition(|seen| of_run(seen));
        state.inbox = rest;
        let mut events: Vec<Value> = events.iter().map(|seen| seen.params().clone()).collect();
        let end = events.iter().position(|event| event["seq"].as_u64() > last.params()["seq"].as_u64());
        events.insert(end.unwrap_or(events.len()), last.params().clone());
        let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64()).collect();
        let gapless = numbers.windows(2).all(|two| two[0].map(|n| n + 1) == two[1]);
        assert!(gapless, "the events of {run} have gaps or are out of order: {numbers:?}");
        events
    }

    /// Waits for the progress of a kind (`begin`, `report`, `end`); returns its parameters.
    pub async fn expect_progress(&self, kind: &str) -> Value {
        let is = |seen: &Seen| seen.method() == "$/progress" && seen.params()["value"]["kind"] == kind;
        self.expect(&format!("progress: {kind}"), is).await.params().clone()
    }

    /// Messages of these methods need not be expected, neither those that came nor those to come.
    pub fn ignore(&self, methods: &[&str]) {
        let mut state = self.shared.state();
        state.ignored.extend(methods.iter().map(|method| (*method).to_owned()));
        state.inbox.retain(|seen| seen.wrong.is_some() || !methods.contains(&seen.method()));
    }

    /// As [`Client::ignore`], for the messages to come that `is` picks out. A benchmark that waits for one message in a thousand
    /// would else spend its time looking through the others.
    pub fn ignore_where(&self, is: impl Fn(&Value) -> bool + Send + 'static) {
        self.shared.state().passed_over.push(Box::new(is));
    }

    /// Takes back [`Client::ignore`], also of what every client ignores from the beginning: `assist/save`, `assist/runs`,
    /// `assist/resting`.
    pub fn heed(&self, methods: &[&str]) {
        self.shared.state().ignored.retain(|method| !methods.contains(&method.as_str()));
    }

    /// What came and was neither expected nor ignored.
    pub fn unread(&self) -> Vec<Seen> {
        self.shared.state().inbox.clone()
    }

    /// Waits until the server has answered a request sent now, so that all it wrote before is in the inbox, and
    /// returns what nobody expected.
    pub async fn unread_after_roundtrip(&self) -> Vec<Seen> {
        // Any request will do; an unknown method has no side effects.
        self.try_request("assist/testRoundtrip", json!({})).await.ok();
        self.unread()
    }

    /// The conversation so far, for reports.
    pub fn log(&self) -> String {
        let state = self.shared.state();
        let from = state.log.len().saturating_sub(60);
        state.log[from..].join("\n")
    }
}
