//! The server: its thread, what it remembers, and what tests wait for.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::asked::Provider;
use crate::chat;
use crate::embeddings;
use crate::gitea;
use crate::http::{HttpRequest, read_request};
use crate::matching::Uses;
use crate::playback::{Close, Gate, Plan, play};
use crate::record::{Finish, Recorded};
use crate::routes;
use crate::script::Script;
use crate::wire::{self, Refusal, Wire};

/// A wait that lasts longer than this is a failed test: something hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running model server. Dropping it closes all connections.
///
/// It runs on a thread of its own, so a test that blocks (on a child process, say) does not stop it. The `async`
/// waits work in any tokio runtime with real time; the `blocking` ones outside of one.
#[derive(Debug)]
pub struct Simulator {
    /// The base URL, without a slash at its end and without `/v1`.
    pub url: String,
    shared: Arc<Shared>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    script: Script,
    state: Mutex<State>,
    /// Changes whenever the state does.
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    uses: Uses,
    /// How often each route has answered.
    routed: Vec<usize>,
    recorded: Vec<Recorded>,
    problems: Vec<String>,
    /// For each full text the offsets up to which it was sent.
    cuts: HashMap<String, Vec<usize>>,
    /// How many answers have been held, and how many of these were released.
    held: usize,
    released: usize,
}

impl State {
    fn chats(&self) -> impl DoubleEndedIterator<Item = &Recorded> {
        self.recorded.iter().filter(|recorded| recorded.asked.is_some())
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

    async fn wait<T>(&self, look: impl Fn(&State) -> Option<T>) -> T {
        let mut version = self.version.subscribe();
        loop {
            version.borrow_and_update();
            if let Some(found) = look(&self.state()) {
                return found;
            }
            // The sender lives in self, so this cannot fail.
            version.changed().await.ok();
        }
    }
}

impl Gate for Arc<Shared> {
    async fn hold(&self) {
        let me = self.change(|state| {
            state.held += 1;
            state.held
        });
        self.wait(|state| (state.released >= me).then_some(())).await;
    }

    async fn asked(&self, words: &str, times: usize) {
        let holds = |recorded: &&Recorded| {
            recorded.asked.as_ref().is_some_and(|asked| asked.all_messages().contains(words))
        };
        self.wait(|state| (state.chats().filter(holds).count() >= times).then_some(())).await;
    }
}

impl Simulator {
    /// Serves a script on a free port of the loopback interface.
    ///
    /// # Panics
    /// If no port can be had or the script holds a wrong regular expression: a test cannot go on then.
    pub fn start(script: Script) -> Self {
        Self::on_port(script, 0).expect("the loopback interface has a free port")
    }

    /// Serves a script on this port; 0 means a free one.
    ///
    /// # Panics
    /// If the script holds a wrong regular expression.
    pub fn on_port(script: Script, port: u16) -> io::Result<Self> {
        script.check().expect("the script's regular expressions are well formed");
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let address: SocketAddr = listener.local_addr()?;
        let (version, _) = watch::channel(0);
        let shared = Arc::new(Shared { script, state: Mutex::default(), version });
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let server = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(listener, server) => {}
                }
            });
        })?;
        Ok(Self { url: format!("http://{address}"), shared, stop: Some(stop), thread: Some(thread) })
    }

    /// What to set as `OPENAI_BASE_URL`.
    pub fn openai_url(&self) -> String {
        format!("{}/v1", self.url)
    }

    /// All model requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().chats().cloned().collect()
    }

    /// All requests so far, those for lists of models and unreadable ones too.
    pub fn all_requests(&self) -> Vec<Recorded> {
        self.shared.state().recorded.clone()
    }

    /// What went wrong in the simulator's eyes: requests that no rule matches, continuations that do not say where,
    /// requests that are not HTTP. Empty after a test that did what it meant to.
    pub fn problems(&self) -> Vec<String> {
        self.shared.state().problems.clone()
    }

    /// Waits for the n-th model request (from 1).
    pub async fn request(&self, n: usize) -> Recorded {
        let what = format!("model request {n}");
        self.patiently(&what, |state| state.chats().nth(n - 1).cloned()).await
    }

    /// Waits until the answer to the n-th model request (from 1) has ended, one way or the other.
    pub async fn finished(&self, n: usize) -> Recorded {
        let what = format!("the end of answer {n}");
        self.patiently(&what, |state| state.chats().nth(n - 1).filter(|r| r.finish.is_some()).cloned()).await
    }

    /// Waits until some client has closed its connection in the middle of an answer.
    pub async fn disconnected(&self) -> Recorded {
        self.patiently("a client that goes away", |state| {
            state.chats().find(|recorded| recorded.finish == Some(Finish::Disconnected)).cloned()
        })
        .await
    }

    /// Waits until `n` answers in all have been held by a stall (released ones count).
    pub async fn stalled(&self, n: usize) {
        let what = format!("{n} held answers");
        self.patiently(&what, |state| (state.held >= n).then_some(())).await;
    }

    /// Releases all answers that are held now.
    pub fn release_stall(&self) {
        self.shared.change(|state| state.released = state.held);
    }

    /// [`Self::request`] outside a runtime.
    pub fn blocking_request(&self, n: usize) -> Recorded {
        block(self.request(n))
    }

    /// [`Self::finished`] outside a runtime.
    pub fn blocking_finished(&self, n: usize) -> Recorded {
        block(self.finished(n))
    }

    /// [`Self::disconnected`] outside a runtime.
    pub fn blocking_disconnected(&self) -> Recorded {
        block(self.disconnected())
    }

    /// [`Self::stalled`] outside a runtime.
    pub fn blocking_stalled(&self, n: usize) {
        block(self.stalled(n));
    }

    async fn patiently<T>(&self, what: &str, look: impl Fn(&State) -> Option<T>) -> T {
        match tokio::time::timeout(PATIENCE, self.shared.wait(look)).await {
            Ok(found) => found,
            Err(_) => {
                let state = self.shared.state();
                let seen: Vec<_> = state.recorded.iter().map(|r| (&r.path, r.status, r.finish)).collect();
                panic!("waited for {what}; requests so far: {seen:?}; problems: {:?}", state.problems);
            }
        }
    }

    /// Runs until the process is killed: for the program.
    pub fn run_forever(mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread ends only with the process, or with a panic that it has printed itself.
            thread.join().ok();
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // If the thread is gone already, there is nothing to stop.
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O can always be made")
        .block_on(future)
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(connection(stream, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut stream: TcpStream, shared: Arc<Shared>) {
    // Every write of the script is a packet of its own, as far as TCP allows.
    stream.set_nodelay(true).ok();
    let mut buffer = Vec::new();
    loop {
        let request = match read_request(&mut stream, &mut buffer).await {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(error) => {
                // A client that goes away between two requests is no problem.
                if error.kind() == io::ErrorKind::InvalidData {
                    shared.change(|state| state.problems.push(format!("not a request: {error}")));
                }
                return;
            }
        };
        if let Some(query) = request.path.strip_prefix("/_sim/") {
            let plan = chat::refused(control(&shared, query).await);
            if play(&mut stream, &mut buffer, &plan, &shared).await != Finish::Sent {
                return;
            }
            continue;
        }
        let (index, plan) = shared.change(|state| answer(state, &shared.script, &request));
        let finish = play(&mut stream, &mut buffer, &plan, &shared).await;
        shared.change(|state| state.recorded[index].finish = Some(finish));
        if finish != Finish::Sent || plan.close != Close::Finish {
            return;
        }
    }
}

/// Records a request and plans its answer.
fn answer(state: &mut State, script: &Script, request: &HttpRequest) -> (usize, Plan) {
    let index = state.recorded.len();
    state.recorded.push(Recorded::new(request));
    let plan = route(state, script, request, index);
    state.recorded[index].status = Some(plan.status);
    (index, plan)
}

fn route(state: &mut State, script: &Script, request: &HttpRequest, index: usize) -> Plan {
    if let Some((answer, held)) = routes::answer(&script.routes, &mut state.routed, request) {
        return Plan { held, ..chat::refused(answer) };
    }
    if let Some(answer) = script.gitea.as_ref().and_then(|forge| gitea::answer(forge, request)) {
        return chat::refused(answer);
    }
    let path = request.path.split('?').next().unwrap_or_default();
    let (provider, is_chat) = match (request.method.as_str(), path) {
        ("POST", "/v1/messages") => (Provider::Anthropic, true),
        ("POST", "/v1/chat/completions") => (Provider::Openai, true),
        ("POST", "/api/chat") => (Provider::Ollama, true),
        ("POST", path) if path.starts_with("/v1beta/models/") && path.ends_with("GenerateContent") => {
            (Provider::Gemini, true)
        }
        ("POST", path) if path.starts_with("/v1beta/models/") && path.ends_with(":generateContent") => {
            (Provider::Gemini, true)
        }
        ("GET", "/v1beta/models") => (Provider::Gemini, false),
        ("GET", "/v1/models") if request.header("anthropic-version").is_some() => {
            (Provider::Anthropic, false)
        }
        ("GET", "/v1/models") => (Provider::Openai, false),
        ("GET", "/api/tags") => (Provider::Ollama, false),
        ("POST", "/v1/embeddings") => return embed(state, script, request, index, Provider::Openai),
        ("POST", "/api/embed") => return embed(state, script, request, index, Provider::Ollama),
        ("POST", "/api/show") => return chat::refused(show(script, request)),
        ("GET", "/api/version") => return chat::refused(json(r#"{"version":"0.6.0"}"#.to_owned())),
        _ => {
            state.problems.push(format!("no such path: {} {}", request.method, request.path));
            return chat::refused(Refusal {
                status: 404,
                headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
                body: "404 page not found".to_owned(),
            });
        }
    };
    let wire = wire::of(provider);
    if !accepted(state, script, request, index, wire) {
        return chat::refused(wire.refuse(index + 1, "", &crate::reply::Failure::Unauthorized));
    }
    if !is_chat {
        let default = ["sim-model".to_owned()];
        let models = if script.models.is_empty() { &default[..] } else { &script.models };
        return chat::refused(json(wire.models(models)));
    }
    conversation(state, script, request, index, wire)
}

/// Whether the request has a key that gets an answer. The key is recorded.
fn accepted(
    state: &mut State,
    script: &Script,
    request: &HttpRequest,
    index: usize,
    wire: &dyn Wire,
) -> bool {
    let key = wire.key(request);
    let accepted = match &key {
        Some(key) => script.keys.is_empty() || script.keys.contains(key),
        None => wire.open() && script.keys.is_empty(),
    };
    state.recorded[index].key = key;
    accepted
}

fn embed(
    state: &mut State,
    script: &Script,
    request: &HttpRequest,
    index: usize,
    provider: Provider,
) -> Plan {
    let wire = wire::of(provider);
    if !accepted(state, script, request, index, wire) {
        return chat::refused(wire.refuse(index + 1, "", &crate::reply::Failure::Unauthorized));
    }
    match embeddings::answer(script, &request.body, provider == Provider::Openai) {
        Ok(answer) => chat::refused(json(answer)),
        Err(problem) => {
            state.problems.push(format!("request {} is wrong: {problem}", index + 1));
            chat::refused(wire.invalid(index + 1, &problem))
        }
    }
}

fn conversation(
    state: &mut State,
    script: &Script,
    request: &HttpRequest,
    index: usize,
    wire: &dyn Wire,
) -> Plan {
    let n = index + 1;
    let asked = match wire.read(request, n) {
        Ok(asked) => asked,
        Err(refusal) => {
            state.problems.push(format!("request {n} is wrong: {}", refusal.body));
            return chat::refused(refusal);
        }
    };
    state.recorded[index].asked = Some(asked.clone());
    if !script.models.is_empty() && !script.models.contains(&asked.model) {
        return chat::refused(wire.refuse(n, &asked.model, &crate::reply::Failure::ModelNotFound));
    }
    let Some(rule) = state.uses.choose(script, &asked) else {
        state.problems.push(format!("no rule for request {n}: {:?}", asked.last_user()));
        return chat::refused(wire.invalid(n, "The simulator's script has no rule for this request."));
    };
    state.recorded[index].rule = Some(rule);
    let reply = &script.rules[rule].reply;
    if let Some(failure) = &reply.error {
        return chat::fail(failure, &asked, n);
    }
    let remembered = |full: &str| state.cuts.get(full).cloned().unwrap_or_default();
    let Some(words) = chat::words(reply, &asked, remembered) else {
        state.problems.push(format!("request {n} does not say where to continue: {:?}", asked.last_user()));
        return chat::refused(wire.invalid(n, "The request does not say where to continue."));
    };
    let end = chat::cut_at(reply, &words);
    if let Some((full, reached)) = words.reached(end) {
        state.cuts.entry(full).or_default().push(reached);
    }
    state.recorded[index].text = words.text[..end].to_owned();
    chat::plan(reply, &words, end, &asked, n)
}

/// What Ollama tells of a model.
fn show(script: &Script, request: &HttpRequest) -> Refusal {
    let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let model = asked["model"].as_str().or(asked["name"].as_str()).unwrap_or_default();
    if !script.models.is_empty() && !script.models.iter().any(|known| known == model) {
        return wire::of(Provider::Ollama).refuse(0, model, &crate::reply::Failure::ModelNotFound);
    }
    let context = script.context.unwrap_or(131_072);
    json(format!(
        r#"{{"modelfile":"","details":{{"format":"gguf","family":"llama"}},"model_info":{{"general.architecture":"llama","llama.context_length":{context}}},"capabilities":["completion","tools"]}}"#
    ))
}

fn json(body: String) -> Refusal {
    Refusal { status: 200, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body }
}

/// What other processes use instead of the methods of [`Simulator`]: README.md.
async fn control(shared: &Arc<Shared>, query: &str) -> Refusal {
    let (what, waits) = query.split_once('?').unwrap_or((query, ""));
    for wait in waits.split('&') {
        let Some((name, count)) = wait.split_once('=') else { continue };
        let Ok(count) = count.parse::<usize>() else { continue };
        let enough = |state: &State| {
            let seen = match name {
                "requests" => state.chats().count(),
                "finished" => state.chats().filter(|recorded| recorded.finish.is_some()).count(),
                "disconnected" => {
                    state.chats().filter(|recorded| recorded.finish == Some(Finish::Disconnected)).count()
                }
                "stalled" => state.held,
                _ => usize::MAX,
            };
            (seen >= count).then_some(())
        };
        if tokio::time::timeout(PATIENCE, shared.wait(enough)).await.is_err() {
            return Refusal {
                status: 504,
                headers: Vec::new(),
                body: format!("waited in vain for {wait}\n"),
            };
        }
    }
    match what {
        "requests" => {
            let list: Vec<_> = shared.state().chats().map(Recorded::to_json).collect();
            json(serde_json::Value::from(list).to_string())
        }
        "problems" => json(serde_json::Value::from(shared.state().problems.clone()).to_string()),
        "release" => {
            shared.change(|state| state.released = state.held);
            json("{}".to_owned())
        }
        _ => Refusal { status: 404, headers: Vec::new(), body: "no such path\n".to_owned() },
    }
}
