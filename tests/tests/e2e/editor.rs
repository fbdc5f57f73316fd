//! The real server in an editor: `assist lsp` in a process of its own, and the client in memory on its pipes.

use std::fs::File;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use assist_tests::client::{Editor, Options};
use assist_tests::{Client, binary};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::{Desk, KEY, PATIENCE};

/// The editors that tests play, with the encodings that each offers.
pub fn editors() -> [(&'static str, Editor, Vec<String>); 3] {
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    [
        ("one that keeps to the protocol", Editor::Honest, named(&["utf-8", "utf-16", "utf-32"])),
        (
            "Neovim",
            Editor::Neovim { debounce: Duration::from_millis(20) },
            named(&["utf-8", "utf-16", "utf-32"]),
        ),
        ("VS Code", Editor::VsCode, named(&["utf-16"])),
    ]
}

/// An editor with the server. Killed when dropped.
pub struct Session {
    client: Option<Client>,
    child: Child,
    errors: PathBuf,
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client.as_ref().expect("the session has not ended")
    }
}

impl Desk {
    /// Starts the server. Nothing is said yet.
    pub fn raw_editor(&self, mut options: Options) -> Session {
        options.root.get_or_insert_with(|| self.folder.root().to_owned());
        let errors = self.folder.beside("logs").join(format!("errors-{}", options.editor_name()));
        let log = File::create(&errors).expect("the log can be made");
        let mut command = Command::new(binary::assist());
        command.arg("lsp").current_dir(self.folder.root()).env_clear().envs(self.variables());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().expect("the server can be started");
        let reader = child.stdout.take().expect("it is piped");
        let writer = child.stdin.take().expect("it is piped");
        Session { client: Some(Client::over(options, reader, writer)), child, errors }
    }

    /// Starts the server and introduces the client.
    pub async fn editor(&self, options: Options) -> Session {
        let mut session = self.raw_editor(options);
        session.client.as_mut().expect("it has begun").initialize().await;
        session
    }

    /// A rich client that heeds these messages from the first one on. What else a user sees of runs is left unread.
    pub async fn heeding(&self, methods: &[&str]) -> Session {
        let mut session = self.raw_editor(Options::default());
        session.ignore(&["$/progress", "assist/delta", "assist/event", "window/showMessage"]);
        session.heed(methods);
        session.client.as_mut().expect("it has begun").initialize().await;
        session
    }

    /// A rich client that keeps to the protocol, for tests to which the editor does not matter. What a user sees of progress
    /// and streaming is left unread.
    pub async fn plain_sailing(&self) -> Session {
        let session = self.editor(Options::default()).await;
        session.ignore(&["$/progress", "assist/delta"]);
        session
    }
}

trait Named {
    fn editor_name(&self) -> String;
}

impl Named for Options {
    fn editor_name(&self) -> String {
        let name = format!("{:?}-{}", self.editor, self.rich);
        name.chars().filter(char::is_ascii_alphanumeric).collect()
    }
}

impl Session {
    /// Opens a file of the desk as it is on disk.
    pub fn open_file(&self, desk: &Desk, path: &str) -> String {
        let uri = desk.folder.uri(path);
        self.open(&uri, "typescriptreact", desk.folder.read(path).trim_start_matches('\u{feff}'));
        uri
    }

    /// The argument of `assist.ask` about a part of a document, in the version that the editor has.
    pub fn about(&self, uri: &str, part: &str, prompt: &str) -> Value {
        json!({
            "intent": "ask", "prompt": prompt, "uri": uri,
            "version": self.document(uri).version, "range": self.range_of(uri, part),
        })
    }

    /// Waits for the end of a run that a rich client began; returns its `completed` data.
    pub async fn ends(&self, run: &str) -> Value {
        let events = self.expect_run(run).await;
        let last = events.iter().rfind(|event| event["type"] == "completed").expect("it has an end");
        last["data"].clone()
    }

    /// What `assist/sessions` says of a run.
    pub async fn session(&self, run: &str) -> Value {
        let answer = self.request("assist/sessions", json!({})).await;
        let sessions = answer["sessions"].as_array().expect("a list").clone();
        sessions.into_iter().find(|session| session["runId"] == run).expect("the run is listed")
    }

    /// Waits until a document has this text. What leads there comes as edits of the server.
    pub async fn text_becomes(&self, uri: &str, expected: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.text(uri) != expected {
            assert!(tokio::time::Instant::now() < deadline, "{}\n{}", self.text(uri), self.log());
            // Each round trip lets the server say what it has to say.
            self.unread_after_roundtrip().await;
        }
    }

    /// `shutdown`, `exit`, to the end of the stream: nothing unread, no key and no panic in the log. Returns the exit code.
    pub async fn leave(self) -> i32 {
        let answer = self.request("shutdown", Value::Null).await;
        assert_eq!(answer, Value::Null, "shutdown has no result");
        self.notify("exit", Value::Null);
        self.gone().await
    }

    /// Waits for the end of the server, which something else has caused.
    pub async fn gone(mut self) -> i32 {
        self.client.take().expect("it has not ended").end().await;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.expect("the server ends").expect("its end can be waited for");
        let errors = std::fs::read_to_string(&self.errors).expect("the log is text");
        assert!(!errors.contains(KEY) && !errors.contains("panicked"), "{errors}");
        status.code().expect("it was not killed")
    }

    /// Sends the server a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw).expect("the process is there");
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    /// Kills the server, as a crash would.
    pub async fn crash(mut self) {
        self.child.kill().await.expect("it is there");
        self.client.take().expect("it has not ended").end().await;
    }
}
