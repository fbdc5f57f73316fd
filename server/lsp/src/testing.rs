//! An editor for this crate's tests: raw JSON over pipes in memory, doing nothing by itself.

use std::path::Path;
use std::sync::Arc;

use assist_agents::gateway::{GatewayConfig, Transcript};
use assist_agents::{ApplyMode, ConfigError, Options, Settings, Wiring};
use assist_base::{ManualClock, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use crate::framing::{Frame, FrameReader};
use crate::link::Link;
use crate::workspaces::{Desk, Workspaces};
use crate::{Boot, Parts, assemble};

/// Settings that never change.
struct Fixed(GatewayConfig);

impl Wiring for Fixed {
    fn settings(&self, _: &Path, editor: &Options) -> Result<Settings, ConfigError> {
        Ok(Settings {
            apply: editor.apply.unwrap_or(ApplyMode::Direct),
            max_output_tokens: 1000,
            gateway: self.0.clone(),
            ..Settings::default()
        })
    }
}

/// What a server needs, answering from `transcript`, with a clock that stands.
pub fn boot(transcript: Option<Value>) -> (Boot, ManualClock) {
    let clock = ManualClock::new(Timestamp(1_700_000_000_000));
    let replay = transcript.map(|transcript| Transcript::parse(&transcript.to_string()).unwrap());
    // Without recorded answers it is a provider that has no key here, whatever runs on this machine.
    let provider = replay.is_none().then(|| "openai".to_owned());
    let wiring = Arc::new(Fixed(GatewayConfig { replay, provider, ..GatewayConfig::default() }));
    (Boot { version: "0.0.1".to_owned(), wiring, clock: Arc::new(clock.clone()) }, clock)
}

/// An editor at its end of the pipes.
pub struct Editor {
    input: Option<DuplexStream>,
    output: FrameReader<DuplexStream>,
    pub link: Arc<Link>,
    pub workspaces: Arc<Workspaces>,
    pub clock: ManualClock,
    pub folder: tempfile::TempDir,
    /// Messages that were read while waiting for another.
    unread: Vec<Value>,
    ids: i64,
    served: JoinHandle<()>,
}

/// The capabilities of an editor that can do everything.
pub fn able() -> Value {
    json!({
        "workspace": { "applyEdit": true, "workspaceEdit": { "documentChanges": true } },
        "window": { "workDoneProgress": true, "showDocument": { "support": true } },
        "textDocument": { "codeAction": { "codeActionLiteralSupport": { "codeActionKind": { "valueSet": [] } } } },
        "experimental": { "assist": { "protocol": 1 } },
    })
}

impl Editor {
    /// An editor of that name and those capabilities, with a folder of its own open.
    pub async fn start(name: &str, capabilities: Value, transcript: Option<Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        let (boot, clock) = boot(transcript);
        let (input, far_input) = tokio::io::duplex(1 << 20);
        let (far_output, output) = tokio::io::duplex(1 << 20);
        let Parts { transport, socket, link, workspaces } = assemble(boot);
        tokio::spawn(link.outbox.clone().write(far_output));
        let gone = link.gone.clone();
        let served = tokio::spawn(async move {
            transport.run(far_input, socket).await;
            gone.cancel();
        });
        let mut editor = Self {
            input: Some(input),
            output: FrameReader::new(output),
            link,
            workspaces,
            clock,
            folder,
            unread: Vec::new(),
            ids: 0,
            served,
        };
        let uri = editor.uri("");
        let params = json!({
            "capabilities": capabilities,
            "clientInfo": { "name": name },
            "workspaceFolders": [{ "uri": uri.trim_end_matches('/'), "name": "w" }],
        });
        let answer = editor.ask("initialize", params).await;
        assert!(answer["result"].is_object(), "{answer}");
        editor.notify("initialized", json!({})).await;
        editor
    }

    pub fn uri(&self, file: &str) -> String {
        crate::uri::of_path(&self.folder.path().canonicalize().unwrap().join(file))
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    pub fn on_disk(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join(file)).ok()
    }

    /// The workspace of the folder.
    pub async fn desk(&self) -> Desk {
        self.workspaces.first().await.unwrap()
    }

    pub async fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        let body = message.to_string();
        let framed = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.input.as_mut().unwrap().write_all(framed.as_bytes()).await.unwrap();
    }

    pub async fn notify(&mut self, method: &str, params: Value) {
        self.send(json!({ "method": method, "params": params })).await;
    }

    pub async fn open(&mut self, file: &str, text: &str) {
        let uri = self.uri(file);
        self.notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": uri, "languageId": "x", "version": 1, "text": text } }),
        )
        .await;
        self.settle().await;
    }

    /// Reports the whole text of a version.
    pub async fn change(&mut self, file: &str, version: i64, text: &str) {
        let document = json!({ "uri": self.uri(file), "version": version });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": [{ "text": text }] }),
        )
        .await;
    }

    /// Sends a request and waits for its answer. What else comes meanwhile is kept.
    pub async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.ids += 1;
        let id = self.ids;
        self.send(json!({ "id": id, "method": method, "params": params })).await;
        self.until(|message| message.get("method").is_none() && message["id"] == id).await
    }

    pub async fn command(&mut self, command: &str, argument: Value) -> Value {
        self.ask("workspace/executeCommand", json!({ "command": command, "arguments": [argument] })).await
    }

    /// Returns when the server has read everything sent so far.
    pub async fn settle(&mut self) {
        self.ask("no/such", json!({})).await;
    }

    /// The next message of that method.
    pub async fn expect(&mut self, method: &str) -> Value {
        self.until(|message| message["method"] == method).await
    }

    /// The next message of that kind, in the order they came.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.unread.iter().position(&wanted) {
            return self.unread.remove(at);
        }
        loop {
            let message: Value = match self.output.next().await.unwrap() {
                Some(Frame::Body(body)) => serde_json::from_slice(&body).unwrap(),
                other => panic!("{other:?}, with {:?} unread", self.unread),
            };
            if wanted(&message) {
                return message;
            }
            self.unread.push(message);
        }
    }

    /// Whether such a message has come among those read so far.
    pub fn came(&self, method: &str) -> bool {
        self.unread.iter().any(|message| message["method"] == method)
    }

    pub async fn answer(&mut self, request: &Value, result: Value) {
        self.send(json!({ "id": request["id"], "result": result })).await;
    }

    /// Lets time pass until a task is done.
    pub async fn let_time_pass<T>(&self, task: &JoinHandle<T>) {
        while !task.is_finished() {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            self.clock.advance(std::time::Duration::from_millis(250));
        }
    }

    /// Closes the editor's side of the pipe.
    pub async fn leave(&mut self) {
        self.input = None;
        (&mut self.served).await.unwrap();
    }
}
