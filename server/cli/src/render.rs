//! How a run looks: as text for people, or as JSON lines for scripts.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use assist_agents::{Question, Severity};
use assist_base::{Event, EventKind, TextDelta};
use serde_json::Value;

/// Shows a run.
pub trait Renderer: Send + Sync {
    /// An event, already stored.
    fn event(&self, event: &Event);
    /// A piece of the answer.
    fn delta(&self, delta: &TextDelta);
    /// One sentence.
    fn notice(&self, severity: Severity, message: &str);
    /// A question, with its answer where that is settled already.
    fn question(&self, question: &Question, answer: Option<&str>);
    /// What may be done next. For people alone: programs know.
    fn hint(&self, _message: &str) {}
}

/// Colours of a terminal; all empty where there is none, or `NO_COLOR` is set.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    on: bool,
}

impl Style {
    /// Colours when `stream` is a terminal that wants them.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        Self { on: forced || (wanted && stream.is_terminal()) }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What went well.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What did not.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// What needs attention.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// What may be overlooked.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A unified diff, line by line.
    pub fn diff(self, diff: &str) -> String {
        let line = |line: &str| match line.as_bytes().first() {
            Some(b'+') if !line.starts_with("+++") => self.good(line),
            Some(b'-') if !line.starts_with("---") => self.bad(line),
            Some(b'@') => self.paint("36", line),
            _ => line.to_owned(),
        };
        diff.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A path, or whatever a model wrote in its place, without what could steer the terminal.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect()
}

/// For people: the answer on standard output, everything about it on standard error.
pub struct Text {
    style: Style,
    /// Whether the last thing written was a part of a line.
    open_line: Mutex<bool>,
}

impl Text {
    /// A renderer for the terminal this process has.
    pub fn new() -> Self {
        Self { style: Style::of(&std::io::stderr()), open_line: Mutex::new(false) }
    }

    fn line(&self, line: &str) {
        let mut open = self.open_line.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *open) {
            let _ = std::io::stdout().write_all(b"\n");
            let _ = std::io::stdout().flush();
        }
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

/// The line that stands for an event in logs and on the terminal, or `None` for one that is only of use to programs.
pub fn describe(event: &Event, style: Style) -> Option<String> {
    let data = &event.data;
    let text = |key: &str| plain(data[key].as_str().unwrap_or_default());
    let reasons = || {
        let reasons = data["reasons"].as_array().map(Vec::as_slice).unwrap_or_default();
        reasons.iter().filter_map(Value::as_str).map(plain).collect::<Vec<_>>().join("; ")
    };
    let lines = || match (data["lines"][0].as_u64(), data["lines"][1].as_u64()) {
        (Some(first), Some(last)) => format!("lines {first}-{last}"),
        _ => String::new(),
    };
    Some(match event.kind {
        EventKind::AgentStarted if data["component"].is_string() => {
            format!("{} {}", style.dim("…"), style.dim(&format!("writing {}", text("component"))))
        }
        EventKind::AgentCompleted if data["sources"].is_array() => sources(&data["sources"], style)?,
        EventKind::AgentStarted | EventKind::AgentCompleted | EventKind::Text => return None,
        EventKind::AgentFailed => format!("{} {}: {}", style.bad("✗"), text("agent"), text("reason")),
        EventKind::Status => match (data["message"].as_str(), data["state"].as_str()) {
            (Some(message), None) => style.dim(&format!("… {}", plain(message))),
            _ => return None,
        },
        EventKind::ComponentVerified => {
            let verdict = text("verdict");
            let mark = if verdict == "whole" { style.good("✓") } else { style.warn("?") };
            let why = if verdict == "whole" { String::new() } else { format!(" ({})", reasons()) };
            format!("{mark} gate: {} is {verdict}{why}", text("component"))
        }
        EventKind::ComponentApplied => {
            format!("{} {} in {} ({})", style.good("✓ applied"), text("component"), text("path"), lines())
        }
        EventKind::ComponentRefused => {
            format!("{} {} is {}: {}", style.bad("✗"), text("component"), text("verdict"), reasons())
        }
        EventKind::Truncated => {
            let what = data["component"].as_str().map_or_else(|| "the answer".to_owned(), plain);
            let bytes = data["receivedBytes"].as_u64().unwrap_or_default();
            let place = if data["component"].is_string() { "; nothing of it was applied" } else { "" };
            style.warn(&format!("✂ {what} broke off after {bytes} bytes: {}{place}", text("cause")))
        }
        EventKind::Continued => {
            let anchor = data["anchorBytes"].as_u64().unwrap_or_default();
            let attempt = data["attempt"].as_u64().unwrap_or_default();
            style.warn(&format!("⟲ continued (attempt {attempt}), stitched on {anchor} repeated bytes"))
        }
        EventKind::Tool => {
            return looked(&text("tool"), &text("about"), &text("state"), &text("message"), style);
        }
        EventKind::Command => return ran(data, style),
        EventKind::Memory => {
            let what = format!("{}: {}", text("key"), text("value"));
            match data["change"].as_str() {
                Some("used") => style.dim(&format!("… remembering {what}")),
                _ => {
                    let id = text("memoryId");
                    let id = id.get(..8).unwrap_or(&id);
                    format!(
                        "{} remembered: {what} {}",
                        style.good("•"),
                        style.dim(&format!("(`assist memory forget {id}` takes it back)"))
                    )
                }
            }
        }
        EventKind::Delivery => match data["state"].as_str() {
            Some("done") => format!("{} {}", style.good("✓"), text("message")),
            Some("failed") => format!("{} {}", style.bad("✗"), text("message")),
            _ => style.dim(&format!("… {}", text("message"))),
        },
        EventKind::ApprovalRequested => format!("? {}", text("question")),
        EventKind::Budget => {
            let count = |key: &str| data[key].as_u64().unwrap_or_default();
            let estimated = if data["estimated"].as_bool() == Some(true) { "about " } else { "" };
            let cost = data["costUsd"]
                .as_f64()
                .filter(|cost| *cost > 0.0)
                .map(|cost| format!(", ${cost:.4}"))
                .unwrap_or_default();
            let (input, output) = (count("inputTokens"), count("outputTokens"));
            if data["reused"].as_bool() == Some(true) {
                return Some(style.dim("  asked before: the kept answer is used again"));
            }
            style.dim(&format!("  {estimated}{input} tokens in, {output} out{cost}"))
        }
        EventKind::Completed => {
            let state = text("state");
            let mark = match state.as_str() {
                "done" => style.good("✓"),
                _ => style.bad("✗"),
            };
            format!("{mark} {state}: {}", text("summary"))
        }
    })
}

/// A command, as people read it.
fn ran(data: &Value, style: Style) -> Option<String> {
    let text = |key: &str| plain(data[key].as_str().unwrap_or_default());
    Some(match data["state"].as_str()? {
        "started" => {
            let online = if data["network"] == true { " (with the network)" } else { "" };
            style.bold(&format!("$ {}{online}", text("command")))
        }
        "output" => {
            let lines = text("text");
            let lines = lines.trim_end_matches('\n').lines().map(|line| style.dim(&format!("  {line}")));
            let more = data["message"].as_str().map(|message| style.dim(&format!("  [{}]", plain(message))));
            let lines: Vec<String> = lines.chain(more).collect();
            if lines.is_empty() {
                return None;
            }
            lines.join("\n")
        }
        "ended" => {
            let mark = if data["code"] == 0 { style.good("✓") } else { style.bad("✗") };
            let seconds = data["milliseconds"].as_u64().unwrap_or_default() as f64 / 1_000.0;
            format!("{mark} `{}`: {} ({seconds:.1} s)", text("command"), text("message"))
        }
        _ => format!("{} `{}` was not run: {}", style.bad("✗"), text("command"), text("message")),
    })
}

/// The web pages that an answer rests on, a line each.
fn sources(list: &Value, style: Style) -> Option<String> {
    let lines: Vec<String> = list
        .as_array()?
        .iter()
        .map(|source| {
            let part = |name: &str| plain(source[name].as_str().unwrap_or_default());
            format!("{} {} {}", style.good("•"), part("title"), style.dim(&part("url")))
        })
        .collect();
    Some(lines.join("\n"))
}

/// One look around, as people read it.
fn looked(tool: &str, about: &str, state: &str, message: &str, style: Style) -> Option<String> {
    let what = match tool {
        "read_file" | "outline" => "read",
        "search" => "searched for",
        "list_files" => "listed files",
        "sessions_search" => "looked through past work for",
        "git_log" => "looked at the history",
        "git_diff" => "looked at the changes",
        "web_search" => "searched the web for",
        "web_fetch" => "read the page",
        "recall" => "recalled",
        // What is remembered and asked has events of its own.
        _ if state == "done" => return None,
        tool => tool,
    };
    Some(match state {
        "refused" => format!("{} {message}", style.bad("✗")),
        "failed" => style.dim(&format!("… {what} {about}: {message}")),
        "repeated" => style.dim(&format!("… {what} {about} again: not done")),
        _ => style.dim(format!("… {what} {about}").trim_end()),
    })
}

impl Renderer for Text {
    fn event(&self, event: &Event) {
        if let Some(line) = describe(event, self.style) {
            self.line(&line);
        }
    }

    fn delta(&self, delta: &TextDelta) {
        let text = plain(&delta.text);
        let mut open = self.open_line.lock().unwrap_or_else(PoisonError::into_inner);
        // Blank lines that only stood between an answer and its code are not worth a place on the terminal.
        if !*open && text.trim().is_empty() {
            return;
        }
        *open = !text.ends_with('\n');
        let _ = std::io::stdout().write_all(text.as_bytes());
        let _ = std::io::stdout().flush();
    }

    fn notice(&self, severity: Severity, message: &str) {
        let mark = match severity {
            Severity::Info => self.style.good("•"),
            Severity::Warning => self.style.warn("!"),
            // The end of a run is an event as well, which has said this.
            Severity::Error => return,
        };
        self.line(&format!("{mark} {}", plain(message)));
    }

    fn hint(&self, message: &str) {
        self.line(&self.style.dim(&format!("  {}", plain(message))));
    }

    fn question(&self, question: &Question, answer: Option<&str>) {
        if let Some(detail) = &question.detail {
            // The fence around the diff is for documents; a terminal shows its colours.
            let bare: Vec<_> = detail.trim().lines().filter(|line| !line.starts_with("```")).collect();
            self.line(&self.style.diff(&plain(&bare.join("\n"))));
        }
        if let Some(answer) = answer {
            self.line(&format!("  → {answer}"));
        }
    }
}

/// For nobody: a process in the background. Its events are in the database.
pub struct Silent;

impl Renderer for Silent {
    fn event(&self, _event: &Event) {}

    fn delta(&self, _delta: &TextDelta) {}

    fn notice(&self, _severity: Severity, _message: &str) {}

    fn question(&self, _question: &Question, _answer: Option<&str>) {}
}

/// For scripts: every event as one line of JSON on standard output.
pub struct Json;

impl Renderer for Json {
    fn event(&self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }

    fn delta(&self, _delta: &TextDelta) {}

    fn notice(&self, _severity: Severity, message: &str) {
        let _ = writeln!(std::io::stderr(), "{}", plain(message));
    }

    fn question(&self, _question: &Question, _answer: Option<&str>) {}
}
