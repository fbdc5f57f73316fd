//! An LSP client in memory that plays an editor and tolerates nothing.
//!
//! It speaks raw frames and JSON, so that no library on the way hides a fault of the server. What an editor does by
//! itself it does by itself: it applies edits, answers plumbing requests, reports changes. Everything else the server says
//! waits in an inbox for the test to expect it. **A message nobody expected or ignored fails the test**, at
//! [`Client::shutdown`] or when the client is dropped.
//!
//! Waiting is for a message, never for a time; a wait of more than three minutes fails and prints the conversation.

mod documents;
mod framing;
mod inbox;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use documents::{Document, Editor};
pub use framing::{frame, frame_body};
pub use inbox::Seen;
pub use text::{Encoding, offset, position};

use documents::Documents;
use framing::Frames;

/// Bytes that fit into a pipe before the writer has to wait, as on Linux.
const PIPE: usize = 64 * 1024;

/// How the client introduces itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder the editor has open.
    pub root: Option<PathBuf>,
    /// Whose behaviour it shows.
    pub editor: Editor,
    /// Does it know Assist's own notifications?
    pub rich: bool,
    /// Does it show progress?
    pub progress: bool,
    /// The position encodings it offers, best first. Empty: it says nothing, which means UTF-16.
    pub encodings: Vec<String>,
    /// `initializationOptions`.
    pub settings: Value,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            root: None,
            editor: Editor::Honest,
            rich: true,
            progress: true,
            encodings: vec!["utf-8".to_owned(), "utf-16".to_owned()],
            settings: json!({}),
        }
    }
}

/// What to say to a `window/showMessageRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The button with this title.
    Press(String),
    /// Closed without an answer.
    Dismiss,
}

type Answer = Result<Value, Value>;
/// Runs just before the next edit is looked at: the user who types at the wrong moment.
type Interruption = Box<dyn FnOnce(&mut Typing<'_>) + Send>;

/// Which messages need not be expected.
type Unheeded = Box<dyn Fn(&Value) -> bool + Send>;

struct Shared {
    state: Mutex<State>,
    /// Changes with the state.
    version: watch::Sender<u64>,
    /// May the reader take messages off the pipe?
    reading: watch::Sender<bool>,
}

struct State {
    documents: Documents,
    out: Option<mpsc::UnboundedSender<Vec<u8>>>,
    inbox: Vec<Seen>,
    /// The conversation, for the reports of failures.
    log: Vec<String>,
    ignored: Vec<String>,
    passed_over: Vec<Unheeded>,
    pending: HashMap<i64, oneshot::Sender<Answer>>,
    next_id: i64,
    choices: Vec<(String, Choice)>,
    refusals: VecDeque<String>,
    interruptions: VecDeque<Interruption>,
    settings: Value,
    closed: bool,
}

impl State {
    fn send(&mut self, message: &Value) {
        self.log.push(format!("-> {}", brief(message)));
        if let Some(out) = &self.out {
            // The writer is gone only when the server is.
            out.send(frame(message)).ok();
        }
    }

    fn report(&mut self, uri: &str) {
        if let Some(message) = self.documents.report(uri) {
            self.send(&message);
        }
    }

    fn report_all(&mut self) {
        let open: Vec<String> = self.documents.open.keys().cloned().collect();
        for uri in open {
            self.report(&uri);
        }
    }
}

/// A message short enough to read.
fn brief(message: &Value) -> String {
    let text = message.to_string();
    match text.char_indices().nth(400) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.version.send_modify(|version| *version += 1);
        result
    }
}

/// The client. See the module.
pub struct Client {
    shared: Arc<Shared>,
    /// The server's future, if it runs in this process: its exit code.
    server: Option<JoinHandle<i32>>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
    options: Options,
    /// What the server answered to `initialize`.
    pub capabilities: Value,
    checked: bool,
}

/// A request whose answer was not awaited yet. Dropping it leaves the answer to be expected.
#[must_use]
pub struct Pending {
    /// The request's id, for `$/cancelRequest`.
    pub id: i64,
    method: String,
    answer: oneshot::Receiver<Answer>,
}

/// The user's hands on the documents.
pub struct Typing<'a> {
    documents: &'a mut Documents,
    touched: Vec<String>,
}

impl Typing<'_> {
    /// Replaces the only occurrence of `old`. One undo step.
    ///
    /// # Panics
    /// If the document is not open or does not hold `old` exactly once.
    pub fn replace(&mut self, uri: &str, old: &str, new: &str) {
        let document = self.documents.open.get(uri).expect("the document is open");
        let places: Vec<usize> = document.text.match_indices(old).map(|(at, _)| at).collect();
        let [at] = places[..] else { panic!("{old:?} stands at {places:?} in {:?}", document.text) };
        self.replace_range(uri, at..at + old.len(), new);
    }

    /// Replaces bytes. One undo step.
    pub fn replace_range(&mut self, uri: &str, range: Range<usize>, new: &str) {
        self.documents.change(uri, &[(range, new.to_owned())]);
        self.touched.push(uri.to_owned());
    }

    /// Goes back one step; true if there was one.
    pub fn undo(&mut self, uri: &str) -> bool {
        self.touched.push(uri.to_owned());
        self.documents.undo(uri)
    }
}

impl Client {
    /// Starts a server in this process over pipes and introduces the client. `serve` gets the end to read from and the end to
    /// write to, and returns the exit code.
    pub async fn start<F>(options: Options, serve: impl FnOnce(DuplexStream, DuplexStream) -> F) -> Self
    where
        F: Future<Output = i32> + Send + 'static,
    {
        let mut client = Self::raw(options, serve);
        client.initialize().await;
        client
    }

    /// As [`Self::start`], but nothing is said yet.
    pub fn raw<F>(options: Options, serve: impl FnOnce(DuplexStream, DuplexStream) -> F) -> Self
    where
        F: Future<Output = i32> + Send + 'static,
    {
        let (to_server, server_reads) = tokio::io::duplex(PIPE);
        let (server_writes, from_server) = tokio::io::duplex(PIPE);
        let server = tokio::spawn(serve(server_reads, server_writes));
        let mut client = Self::over(options, from_server, to_server);
        client.server = Some(server);
        client
    }

    /// A client on any two ends, as those of a child process. Nothing is said yet.
    pub fn over(
        options: Options,
        reader: impl AsyncRead + Unpin + Send + 'static,
        writer: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let (out, outgoing) = mpsc::unbounded_channel();
        let state = State {
            documents: Documents::new(options.editor),
            out: Some(out),
            inbox: Vec::new(),
            log: Vec::new(),
            ignored: ["assist/save", "assist/runs", "assist/resting"].map(str::to_owned).to_vec(),
            passed_over: Vec::new(),
            pending: HashMap::new(),
            next_id: 1,
            choices: Vec::new(),
            refusals: VecDeque::new(),
            interruptions: VecDeque::new(),
            settings: options.settings.clone(),
            closed: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            version: watch::Sender::new(0),
            reading: watch::Sender::new(true),
        });
        let writer = tokio::spawn(write_all(writer, outgoing));
        let reader = tokio::spawn(read_all(Arc::clone(&shared), Frames::new(reader)));
        Self { shared, server: None, reader, writer, options, capabilities: Value::Null, checked: false }
    }

    /// Sends `initialize` and `initialized`, and takes over what the server chose.
    pub async fn initialize(&mut self) {
        let params = self.introduction();
        let answer = self.request("initialize", params).await;
        let encoding = answer["capabilities"]["positionEncoding"].as_str().unwrap_or("utf-16");
        let encoding = Encoding::named(encoding).expect("the server chose a known encoding");
        let sync = &answer["capabilities"]["textDocumentSync"];
        let full = sync.as_u64().or(sync["change"].as_u64()) == Some(1);
        {
            let mut state = self.shared.state();
            state.documents.encoding = encoding;
            state.documents.full_sync = full;
        }
        self.capabilities = answer;
        self.notify("initialized", json!({}));
    }

    fn introduction(&self) -> Value {
        let options = &self.options;
        let mut capabilities = json!({
            "workspace": {
                "applyEdit": true,
                "workspaceEdit": {"documentChanges": true, "failureHandling": "abort"},
                "configuration": true,
                "didChangeConfiguration": {"dynamicRegistration": false},
                "executeCommand": {},
            },
            "textDocument": {
                "synchronization": {"didSave": true},
                "codeAction": {
                    "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["", "quickfix", "refactor", "refactor.rewrite", "source"]}},
                    "dataSupport": true,
                    "isPreferredSupport": true,
                },
                "publishDiagnostics": {},
            },
            "window": {
                "workDoneProgress": options.progress,
                "showMessage": {"messageActionItem": {"additionalPropertiesSupport": false}},
                "showDocument": {"support": true},
            },
            "general": {},
            "experimental": {},
        });
        if !options.encodings.is_empty() {
            capabilities["general"]["positionEncodings"] = json!(options.encodings);
        }
        if options.rich {
            capabilities["experimental"]["assist"] = json!({"protocol": 1});
        }
        let root = options.root.as_deref().map(crate::folder::uri);
        let folders = root.as_ref().map(|uri| json!([{"uri": uri, "name": "work"}]));
        json!({
            "processId": std::process::id(),
            "clientInfo": {"name": "assist-tests", "version": "1"},
            "rootUri": root,
            "workspaceFolders": folders,
            "capabilities": capabilities,
            "initializationOptions": options.settings,
        })
    }

    // Talking.

    /// Sends bytes as they are.
    pub fn send_raw(&self, bytes: &[u8]) {
        let state = self.shared.state();
        let out = state.out.as_ref().expect("the client has not closed its side");
        out.send(bytes.to_vec()).ok();
    }

    /// Sends a message as it is.
    pub fn send(&self, message: &Value) {
        self.shared.state().send(message);
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request without waiting for its answer. Pending changes are reported first, as editors do.
    pub fn begin(&self, method: &str, params: Value) -> Pending {
        let (sender, answer) = oneshot::channel();
        let id = self.shared.change(|state| {
            state.report_all();
            let id = state.next_id;
            state.next_id += 1;
            state.pending.insert(id, sender);
            let mut message = json!({"jsonrpc": "2.0", "id": id, "method": method});
            if !params.is_null() {
                message["params"] = params;
            }
            state.send(&message);
            id
        });
        Pending { id, method: method.to_owned(), answer }
    }

    /// Waits for the answer: the result, or the error object.
    pub async fn answer(&self, pending: Pending) -> Answer {
        match tokio::time::timeout(inbox::PATIENCE, pending.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => panic!("the server has gone without answering {}\n{}", pending.method, self.log()),
            Err(_) => panic!("no answer to {}\n{}", pending.method, self.log()),
        }
    }

    /// Sends a request and returns its result.
    ///
    /// # Panics
    /// If the answer is an error.
    pub async fn request(&self, method: &str, params: Value) -> Value {
        match self.try_request(method, params).await {
            Ok(result) => result,
            Err(error) => panic!("{method} failed: {error}\n{}", self.log()),
        }
    }

    /// Sends a request and returns its result or the error object.
    pub async fn try_request(&self, method: &str, params: Value) -> Answer {
        let pending = self.begin(method, params);
        self.answer(pending).await
    }

    /// Runs a command of the server with one argument.
    pub async fn command(&self, command: &str, argument: Value) -> Answer {
        self.try_request("workspace/executeCommand", json!({"command": command, "arguments": [argument]}))
            .await
    }

    /// Runs `assist.ask` and returns the run's id.
    pub async fn ask(&self, argument: Value) -> String {
        match self.command("assist.ask", argument).await {
            Ok(answer) => answer["runId"].as_str().expect("the answer has a run id").to_owned(),
            Err(error) => panic!("assist.ask failed: {error}\n{}", self.log()),
        }
    }

    // Documents.

    /// Opens a document with this text.
    pub fn open(&self, uri: &str, language: &str, text: &str) {
        self.shared.change(|state| {
            state.documents.add(uri, text);
            let document = json!({"uri": uri, "languageId": language, "version": 1, "text": text});
            state.send(&json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": document}}));
        });
    }

    /// Closes a document, saved or not.
    pub fn close(&self, uri: &str) {
        self.shared.change(|state| {
            state.report(uri);
            state.documents.open.remove(uri).expect("the document is open");
            state.send(&json!({"jsonrpc": "2.0", "method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}}));
        });
    }

    /// Says that a document was saved. Writing the file is the test's affair.
    pub fn saved(&self, uri: &str) {
        self.shared.change(|state| {
            state.report(uri);
            state.send(&json!({"jsonrpc": "2.0", "method": "textDocument/didSave", "params": {"textDocument": {"uri": uri}}}));
        });
    }

    /// The user types.
    pub fn typing<T>(&self, hands: impl FnOnce(&mut Typing<'_>) -> T) -> T {
        let shared = &self.shared;
        shared.change(|state| {
            let mut typing = Typing { documents: &mut state.documents, touched: Vec::new() };
            let result = hands(&mut typing);
            let touched = typing.touched;
            report_changes(shared, state, &touched);
            result
        })
    }

    /// The user replaces the only occurrence of `old` in a document.
    pub fn replace(&self, uri: &str, old: &str, new: &str) {
        self.typing(|typing| typing.replace(uri, old, new));
    }

    /// The user undoes one step; true if there was one.
    pub fn undo(&self, uri: &str) -> bool {
        self.typing(|typing| typing.undo(uri))
    }

    /// The text in the editor.
    pub fn text(&self, uri: &str) -> String {
        self.document(uri).text
    }

    /// The document in the editor.
    pub fn document(&self, uri: &str) -> Document {
        self.shared.state().documents.open.get(uri).expect("the document is open").clone()
    }

    /// The range, in the negotiated encoding, of the only occurrence of `part`.
    pub fn range_of(&self, uri: &str, part: &str) -> Value {
        let text = self.text(uri);
        let places: Vec<usize> = text.match_indices(part).map(|(at, _)| at).collect();
        let [at] = places[..] else { panic!("{part:?} stands at {places:?} in {text:?}") };
        self.range(uri, at..at + part.len())
    }

    /// A byte range in the negotiated encoding.
    pub fn range(&self, uri: &str, range: Range<usize>) -> Value {
        let state = self.shared.state();
        let text = &state.documents.open.get(uri).expect("the document is open").text;
        let encoding = state.documents.encoding;
        json!({"start": position(text, range.start, encoding), "end": position(text, range.end, encoding)})
    }

    // What the editor answers by itself.

    /// The next edit is refused with this reason.
    pub fn refuse_next_edit(&self, reason: &str) {
        self.shared.state().refusals.push_back(reason.to_owned());
    }

    /// Just before the next edit is looked at, the user types.
    pub fn before_next_edit(&self, hands: impl FnOnce(&mut Typing<'_>) + Send + 'static) {
        self.shared.state().interruptions.push_back(Box::new(hands));
    }

    /// Every question that contains `text` is answered so; without such a rule it waits for [`Self::choose`].
    pub fn when_asked(&self, text: &str, choice: Choice) {
        self.shared.state().choices.push((text.to_owned(), choice));
    }

    /// Answers a `window/showMessageRequest` that was expected.
    pub fn choose(&self, request: &Value, choice: Choice) {
        self.shared.change(|state| {
            let answer = choice_answer(&request["params"], &choice).unwrap_or_else(|wrong| panic!("{wrong}"));
            state.send(&json!({"jsonrpc": "2.0", "id": request["id"], "result": answer}));
        });
    }

    /// Answers a request of the server that was expected.
    pub fn reply(&self, request: &Value, result: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": request["id"], "result": result}));
    }

    /// Changes what `workspace/configuration` says and announces it.
    pub fn configure(&self, settings: Value) {
        self.shared.change(|state| state.settings.clone_from(&settings));
        self.notify("workspace/didChangeConfiguration", json!({"settings": {"assist": settings}}));
    }

    /// Stops reading what the server writes, as a busy editor does, or goes on.
    pub fn hold_reading(&self, hold: bool) {
        self.shared.reading.send_replace(!hold);
    }

    // The end.

    /// Closes the client's side of the pipe.
    pub fn close_input(&self) {
        self.shared.state().out = None;
    }

    /// Waits for the server's exit code. Only for servers in this process.
    pub async fn exit_code(&mut self) -> i32 {
        let server = self.server.take().expect("the server runs in this process");
        match tokio::time::timeout(inbox::PATIENCE, server).await {
            Ok(Ok(code)) => code,
            Ok(Err(error)) => panic!("the server panicked: {error}\n{}", self.log()),
            Err(_) => panic!("the server does not end\n{}", self.log()),
        }
    }

    /// `shutdown` and `exit`, to the end of the stream, then checks that nothing is left unread. Returns the exit code.
    pub async fn shutdown(mut self) -> i32 {
        let answer = self.request("shutdown", Value::Null).await;
        assert_eq!(answer, Value::Null, "shutdown has no result");
        self.notify("exit", Value::Null);
        let code = self.exit_code().await;
        self.drain().await;
        self.check();
        code
    }

    /// For a server in another process: waits for the end of its stream and checks that nothing is left unread.
    pub async fn end(mut self) {
        self.close_input();
        self.drain().await;
        self.check();
    }

    async fn drain(&mut self) {
        if tokio::time::timeout(inbox::PATIENCE, &mut self.reader).await.is_err() {
            panic!("the server's stream does not end\n{}", self.log());
        }
    }

    fn check(&mut self) {
        self.checked = true;
        let left = self.unread();
        assert!(left.is_empty(), "messages nobody expected: {left:#?}\n{}", self.log());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
        if let Some(server) = &self.server {
            server.abort();
        }
        if !self.checked && !std::thread::panicking() {
            self.check();
        }
    }
}

fn choice_answer(params: &Value, choice: &Choice) -> Result<Value, String> {
    match choice {
        Choice::Dismiss => Ok(Value::Null),
        Choice::Press(title) => {
            let actions = params["actions"].as_array().cloned().unwrap_or_default();
            let action = actions.into_iter().find(|action| action["title"] == title.as_str());
            action.ok_or_else(|| format!("there is no button {title:?}: {params}"))
        }
    }
}

async fn write_all(mut writer: impl AsyncWrite + Unpin, mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = outgoing.recv().await {
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
    writer.shutdown().await.ok();
}

async fn read_all(shared: Arc<Shared>, mut frames: Frames<impl AsyncRead + Unpin>) {
    let _closing = Closing(Arc::clone(&shared));
    let mut reading = shared.reading.subscribe();
    loop {
        // The sender lives in `shared`.
        reading.wait_for(|reading| *reading).await.ok();
        match frames.next().await {
            Ok(Some(message)) => inbox::receive(&shared, message),
            Ok(None) => break,
            Err(error) => {
                shared.change(|state| state.inbox.push(Seen::broken(&error.to_string())));
                break;
            }
        }
    }
}

/// Marks the end of the server's stream, also when a test's own closure panics in the reader.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.closed = true;
            // Their waiters learn that no answer will come.
            state.pending.clear();
        });
    }
}

/// Reports changes at once, or as Neovim does later.
fn report_changes(shared: &Arc<Shared>, state: &mut State, touched: &[String]) {
    for uri in touched {
        if let Editor::Neovim { debounce } = state.documents.editor {
            let (shared, uri) = (Arc::clone(shared), uri.clone());
            tokio::spawn(async move {
                tokio::time::sleep(debounce).await;
                shared.change(|state| state.report(&uri));
            });
        } else {
            state.report(uri);
        }
    }
}
