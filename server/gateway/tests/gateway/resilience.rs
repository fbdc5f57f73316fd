//! What happens when things go wrong around a call: time, money, servers that are not there, models with quirks.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Entry, KEY, books, call, config, gateway, read};
use assist_base::{ManualClock, SystemClock, Timestamp};
use assist_gateway::{
    Chunk, Gateway, GatewayConfig, GatewayError, HealthState, Message, NoBooks, Phase, ProviderConfig,
    StopReason, Tier, Transcript,
};
use assist_simulator::{Ending, Failure, Place, Reply, Script, Simulator, Stall};

fn on_clock(config: GatewayConfig, clock: &ManualClock) -> Gateway {
    Gateway::new(config, Arc::new(NoBooks), Arc::new(clock.clone())).unwrap()
}

/// Moves the clock on as soon as someone waits on it.
async fn pass(clock: &ManualClock, duration: Duration) {
    while clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    clock.advance(duration);
}

/// A port where nothing listens. One that was free a moment ago may be another test's by now.
const DESERTED: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn a_stream_that_stalls_is_cut_with_its_text() {
    let simulator = Simulator::start(Script::always(Reply::text("one two three").stall(Place::Char(7))));
    let clock = ManualClock::new(Timestamp(0));
    let mut stream = on_clock(config("anthropic", &simulator.url), &clock).stream(call("x")).await.unwrap();
    let mut text = String::new();
    while text.len() < 7 {
        if let Some(Chunk::Text(piece)) = stream.next().await {
            text.push_str(&piece);
        }
    }
    let (chunk, ()) = tokio::join!(stream.next(), pass(&clock, Duration::from_secs(90)));
    let Some(Chunk::Done(done)) = chunk else { panic!("{chunk:?}") };
    assert_eq!(text, "one two");
    assert_eq!(done.stop, StopReason::Cut);
    assert!(matches!(done.error, Some(GatewayError::Timeout { phase: Phase::Idle, .. })), "{:?}", done.error);
    simulator.disconnected().await;
}

/// A server that answers one request with the pieces it is given, as they are given.
async fn speaker() -> (String, tokio::sync::mpsc::UnboundedSender<&'static str>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (say, mut said) = tokio::sync::mpsc::unbounded_channel::<&str>();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(socket.read_buf(&mut asked).await.unwrap(), 0);
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let (mut read, mut write) = socket.split();
        let asked = async {
            // The rest of the request; the end is the client's.
            while read.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {}
        };
        let answer = async {
            while let Some(piece) = said.recv().await {
                if write.write_all(piece.as_bytes()).await.is_err() {
                    return;
                }
            }
            let _ = write.shutdown().await;
        };
        tokio::select! {
            () = asked => {}
            () = answer => {}
        }
    });
    (url, say)
}

const ONE: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"one \"}}]}\n\n";
const END: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const ALIVE: &str = ": still here\n\n";
const ALIVE_IN_DATA: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n";

/// A configuration in which silence alone is no fault for a day.
fn patient(url: &str) -> GatewayConfig {
    let mut config = config("openai", url);
    config.timeouts.idle = Duration::from_secs(86_400);
    config.timeouts.progress = Duration::from_secs(600);
    config
}

#[tokio::test]
async fn a_server_that_only_says_it_lives_is_left_in_time() {
    for alive in [ALIVE, ALIVE_IN_DATA] {
        let (url, say) = speaker().await;
        let clock = ManualClock::new(Timestamp(0));
        say.send(ONE).unwrap();
        let mut stream = on_clock(patient(&url), &clock).stream(call("x")).await.unwrap();
        assert_eq!(stream.next().await, Some(Chunk::Text("one ".to_owned())));
        let living = async {
            pass(&clock, Duration::from_secs(400)).await;
            say.send(alive).unwrap();
            pass(&clock, Duration::from_secs(400)).await;
            say.send(alive).unwrap();
        };
        let (chunk, ()) = tokio::join!(stream.next(), living);
        let Some(Chunk::Done(done)) = chunk else { panic!("{chunk:?}") };
        let error = done.error.expect("it is told");
        assert!(matches!(error, GatewayError::Timeout { phase: Phase::Progress, .. }), "{error:?}");
        assert!(error.retryable() && error.is_outage());
        assert_eq!(
            error.to_string(),
            "openai kept the line open in the middle of its answer and sent nothing new of it within 600 s: try again, or raise the time in `[timeouts]` of your config.toml if the model is slow."
        );
        assert_eq!((done.stop, done.usage.estimated), (StopReason::Cut, true));
        // Nobody listens any more.
        say.closed().await;
    }
}

#[tokio::test]
async fn an_answer_that_gets_on_may_take_its_time_and_so_may_its_reader() {
    let (url, say) = speaker().await;
    let clock = ManualClock::new(Timestamp(0));
    say.send(ONE).unwrap();
    let mut stream = on_clock(patient(&url), &clock).stream(call("x")).await.unwrap();
    assert!(stream.next().await.is_some());
    for _ in 0..3 {
        let slowly = async {
            pass(&clock, Duration::from_secs(400)).await;
            say.send(ONE).unwrap();
        };
        let (chunk, ()) = tokio::join!(stream.next(), slowly);
        assert_eq!(chunk, Some(Chunk::Text("one ".to_owned())));
    }
    // The reader does something else for an hour, while the server says that it lives.
    say.send(ALIVE).unwrap();
    clock.advance(Duration::from_secs(3600));
    say.send(ALIVE).unwrap();
    say.send(END).unwrap();
    let chunk = stream.next().await;
    let Some(Chunk::Done(done)) = chunk else { panic!("{chunk:?}") };
    assert_eq!((done.stop, done.error), (StopReason::End, None));
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_a_timeout() {
    let reply = Reply { stall: Some(Stall::BeforeHeaders), ..Reply::text("x") };
    let simulator = Simulator::start(Script::always(reply));
    let clock = ManualClock::new(Timestamp(0));
    let gateway = on_clock(config("openai", &simulator.url), &clock);
    let held = async {
        simulator.stalled(1).await;
        pass(&clock, Duration::from_secs(600)).await;
    };
    let (stream, ()) = tokio::join!(gateway.stream(call("x")), held);
    let error = stream.unwrap_err();
    assert!(error.to_string().contains("openai did not begin to answer within 600 s"), "{error}");
    assert!(error.retryable());
}

#[tokio::test]
async fn nobody_there_is_said_at_once() {
    for (provider, says) in [("ollama", "start the server"), ("anthropic", "nothing listens there")] {
        let error = gateway(config(provider, DESERTED)).stream(call("x")).await.unwrap_err();
        assert!(matches!(error, GatewayError::Network { .. }) && error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains(DESERTED), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_behind_https_is_a_tls_failure() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        // The beginning of the client's greeting is enough to answer to.
        socket.read_exact(&mut [0; 16]).await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        // Closed with something unread, the connection would be reset, and the answer may never be seen.
        socket.shutdown().await.unwrap();
        let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
    });
    let error = gateway(config("anthropic", &url)).stream(call("x")).await.unwrap_err();
    // Where the machine has no certificates at all, that is what is said.
    assert!(matches!(error, GatewayError::Tls { .. } | GatewayError::Settings { .. }), "{error:?}");
    assert!(error.needs_user(), "{error}");
}

#[tokio::test]
async fn a_hang_up_before_the_answer_is_a_network_error() {
    let simulator = Simulator::start(Script::always(Reply::error(Failure::HangUp)));
    let error = gateway(config("anthropic", &simulator.url)).stream(call("x")).await.unwrap_err();
    assert!(matches!(error, GatewayError::Network { .. }) && error.retryable(), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Simulator::start(Script::always(Reply::text("x")));
    let headers = vec![("location".to_owned(), format!("{}/v1/messages", target.url))];
    let failure = Failure::Raw { status: 307, headers, body: String::new() };
    let simulator = Simulator::start(Script::always(Reply::error(failure)));
    let error = gateway(config("anthropic", &simulator.url)).stream(call("x")).await.unwrap_err();
    assert!(error.to_string().contains("points elsewhere"), "{error}");
    assert!(target.all_requests().is_empty());
}

#[tokio::test]
async fn what_a_model_refuses_is_learnt_once() {
    let refusal = |message: &str| {
        let body = format!(r#"{{"error":{{"message":"{message}","type":"invalid_request_error"}}}}"#);
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        assist_simulator::Rule::always(Reply::error(Failure::Raw { status: 400, headers, body })).times(1)
    };
    let script = Script::new([
        refusal("Unsupported parameter: 'max_completion_tokens' is not supported with this model."),
        refusal("Unsupported value: 'temperature' does not support 0.2 with this model."),
        refusal("stream_options: Extra inputs are not permitted"),
        assist_simulator::Rule::always(Reply::text("there")),
    ]);
    let simulator = Simulator::start(script);
    let gateway = gateway(config("openai", &simulator.url));
    let mut call = call("x");
    call.request.temperature = Some(0.2);
    for _ in 0..2 {
        assert_eq!(read(gateway.stream(call.clone()).await.unwrap()).await.text, "there");
    }
    let requests = simulator.requests();
    assert_eq!(requests.len(), 5);
    assert_eq!(
        (requests[0].json()["max_completion_tokens"].as_u64(), requests[0].json()["max_tokens"].as_u64()),
        (Some(1000), None)
    );
    for request in &requests[3..] {
        let body = request.json();
        assert_eq!(body["max_tokens"], 1000);
        assert!(body["temperature"].is_null() && body["stream_options"].is_null(), "{body}");
    }
}

#[tokio::test]
async fn money_is_set_aside_first_and_settled_before_the_end_is_told() {
    let simulator = Simulator::start(Script::always(Reply::text("one two three")));
    let (books, mut heard) = books(true);
    let mut config = config("anthropic", &simulator.url);
    config.tiers[1] = Some("claude-sonnet-4-6".to_owned());
    let gateway = Gateway::new(config, books, SystemClock::shared()).unwrap();
    let answer = read(gateway.stream(call("x")).await.unwrap()).await;
    let Entry::Reserved(estimate) = heard.try_recv().unwrap() else { panic!() };
    assert_eq!((estimate.provider.as_str(), estimate.model.as_str()), ("anthropic", "claude-sonnet-4-6"));
    assert_eq!((estimate.agent.as_str(), estimate.max_output_tokens), ("builder", 1000));
    let Entry::Settled(7, settled) = heard.try_recv().unwrap() else { panic!() };
    assert_eq!(settled.usage, answer.done.usage);
    assert_eq!(settled.cost_usd, answer.done.cost_usd);
    assert!(settled.cost_usd.unwrap() > 0.0 && settled.cost_usd < estimate.cost_usd, "{settled:?}");
    assert!(!settled.usage.estimated);
    assert_eq!(settled.request_id.as_deref(), Some("req_sim000001"));
}

#[tokio::test]
async fn a_dropped_stream_is_settled_as_an_estimate() {
    let simulator = Simulator::start(Script::always(Reply::text("one two three four").stall(Place::Char(7))));
    let (books, mut heard) = books(true);
    let gateway = Gateway::new(config("anthropic", &simulator.url), books, SystemClock::shared()).unwrap();
    let mut stream = gateway.stream(call("x")).await.unwrap();
    assert_eq!(stream.next().await, Some(Chunk::Text("one".into())));
    drop(stream);
    assert!(matches!(heard.recv().await, Some(Entry::Reserved(_))));
    let Some(Entry::Settled(7, settled)) = heard.recv().await else { panic!() };
    assert!(settled.usage.estimated && settled.usage.input > 0 && settled.usage.output > 0, "{settled:?}");
    assert_eq!(settled.stop, None);
    simulator.disconnected().await;
}

#[tokio::test]
async fn a_call_given_up_before_its_answer_is_settled_too() {
    let reply = Reply { stall: Some(Stall::BeforeHeaders), ..Reply::text("x") };
    let simulator = Simulator::start(Script::always(reply));
    let (books, mut heard) = books(true);
    let gateway = Gateway::new(config("anthropic", &simulator.url), books, SystemClock::shared()).unwrap();
    tokio::select! {
        _ = gateway.stream(call("x")) => panic!("it is held"),
        () = simulator.stalled(1) => {}
    }
    assert!(matches!(heard.recv().await, Some(Entry::Reserved(_))));
    let Some(Entry::Settled(_, settled)) = heard.recv().await else { panic!() };
    assert!(settled.usage.estimated && settled.usage.input > 0 && settled.usage.output == 0, "{settled:?}");
    simulator.disconnected().await;
}

#[tokio::test]
async fn a_refused_call_costs_nothing_and_a_refused_budget_sends_nothing() {
    let simulator = Simulator::start(Script::always(Reply::error(Failure::Unauthorized)));
    let (allowing, mut heard) = books(true);
    let gateway = Gateway::new(config("anthropic", &simulator.url), allowing, SystemClock::shared()).unwrap();
    gateway.stream(call("x")).await.unwrap_err();
    assert!(matches!(heard.recv().await, Some(Entry::Reserved(_))));
    let Some(Entry::Settled(_, settled)) = heard.recv().await else { panic!() };
    assert_eq!(settled.usage, assist_gateway::Usage::default());

    let (refusing, _heard) = books(false);
    let gateway = Gateway::new(config("anthropic", &simulator.url), refusing, SystemClock::shared()).unwrap();
    let error = gateway.stream(call("x")).await.unwrap_err();
    assert_eq!(error.to_string(), "Today's budget of $1 is used up: raise it in config.toml.");
    assert_eq!(simulator.requests().len(), 1);
}

#[tokio::test]
async fn doctor_hears_how_providers_are() {
    let script =
        Script { keys: vec![KEY.to_owned()], models: vec!["m1".into(), "m2".into()], ..Script::default() };
    let simulator = Simulator::start(script);
    for provider in ["anthropic", "openai", "nim", "openai-compatible"] {
        let health = gateway(config(provider, &simulator.url)).check(provider).await;
        assert_eq!(health.state, HealthState::Reachable, "{health:?}");
        assert_eq!(health.models, ["m1", "m2"]);
        let mut wrong = config(provider, &simulator.url);
        wrong.providers.get_mut(provider).unwrap().key = Some(assist_base::Secret::new("wrong"));
        let health = gateway(wrong).check(provider).await;
        assert_eq!(health.state, HealthState::KeyRefused, "{health:?}");
        assert!(health.detail.contains(&format!("assist auth set {provider}")), "{health:?}");
    }
    let open = Simulator::start(Script { models: vec!["llama".into()], ..Script::default() });
    let health = gateway(config("ollama", &open.url)).check("ollama").await;
    assert_eq!((health.state, health.models.as_slice()), (HealthState::Reachable, &["llama".to_owned()][..]));
    let health = gateway(config("ollama", DESERTED)).check("ollama").await;
    assert_eq!(health.state, HealthState::Unreachable);
    assert!(health.detail.contains("start the server"), "{health:?}");
    let health = gateway(GatewayConfig::default()).check("anthropic").await;
    assert_eq!(health.state, HealthState::NotConfigured);
    assert!(health.detail.contains("ANTHROPIC_API_KEY"), "{health:?}");
    assert_eq!(gateway(GatewayConfig::default()).check("nobody").await.state, HealthState::NotConfigured);
}

#[tokio::test]
async fn a_local_server_is_asked_for_its_model() {
    let script = Script { models: vec!["qwen-coder".into()], ..Script::always(Reply::text("there")) };
    let simulator = Simulator::start(script);
    for (provider, key) in [("ollama", None), ("openai-compatible", Some(assist_base::Secret::new(KEY)))] {
        let mut config = config(provider, &simulator.url);
        config.providers.insert(
            provider.to_owned(),
            ProviderConfig { base_url: Some(simulator.url.clone()), key, ..ProviderConfig::default() },
        );
        let gateway = gateway(config);
        assert_eq!(gateway.model_for(Tier::B).unwrap().model, "auto");
        assert_eq!(read(gateway.stream(call("x")).await.unwrap()).await.text, "there");
        assert_eq!(gateway.model_for(Tier::B).unwrap().to_string(), format!("{provider}/qwen-coder"));
    }
    let body = simulator.requests()[0].json();
    assert_eq!(body["options"]["num_ctx"], 8192, "{body}");
}

#[tokio::test]
async fn a_prompt_that_ollama_would_cut_silently_is_not_sent() {
    let script = Script { context: Some(40_000), ..Script::always(Reply::text("there")) };
    let simulator = Simulator::start(script);
    let gateway = gateway(config("ollama", &simulator.url));
    let error = gateway.stream(call(&"x".repeat(200_000))).await.unwrap_err();
    assert!(
        matches!(error, GatewayError::ContextTooLong { limit: Some(40_000), tokens: Some(66_000..), .. }),
        "{error}"
    );
    assert!(simulator.requests().is_empty());
    let answer = read(gateway.stream(call(&"x".repeat(60_000))).await.unwrap()).await;
    assert_eq!(answer.text, "there");
    assert_eq!(simulator.requests()[0].json()["options"]["num_ctx"], 32_768);
}

#[tokio::test]
async fn connections_are_used_again() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const CALLS: usize = 20;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(n @ 1..) = socket.read(&mut buffer).await {
                    request.extend_from_slice(&buffer[..n]);
                    if request.ends_with(b"}") {
                        request.clear();
                        let event = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
                        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked";
                        let answer = format!("{head}\r\n\r\n{:x}\r\n{event}\r\n0\r\n\r\n", event.len());
                        socket.write_all(answer.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    let gateway = gateway(config("openai", &url));
    for _ in 0..CALLS {
        assert_eq!(read(gateway.stream(call("x")).await.unwrap()).await.done.stop, StopReason::End);
        tokio::task::yield_now().await;
    }
    let connections = connections.load(Ordering::SeqCst);
    assert!(connections < CALLS, "{connections} connections for {CALLS} calls");
}

#[tokio::test]
async fn an_unfinished_answer_with_all_its_text_is_still_cut() {
    let text = "one two";
    let simulator =
        Simulator::start(Script::always(Reply::text(text).cut(Place::Char(text.len()), Ending::CleanEnd)));
    for provider in ["anthropic", "openai", "ollama"] {
        let answer = read(gateway(config(provider, &simulator.url)).stream(call("x")).await.unwrap()).await;
        assert_eq!((answer.text.as_str(), answer.done.stop), (text, StopReason::Cut), "{provider}");
    }
}

#[tokio::test]
async fn a_transcript_answers_everything_and_says_that_it_does() {
    let transcript = Transcript::parse(
        r#"{"entries": [{"match": ["Hero"], "text": "größe", "chunks": [2], "delay_ms": 40, "cut": {"length": true}}]}"#,
    )
    .unwrap();
    let config = GatewayConfig { replay: Some(transcript), ..GatewayConfig::default() };
    let (books, mut heard) = books(true);
    let naps = Arc::new(crate::support::Naps::default());
    let gateway = Gateway::new(config, books, naps.clone()).unwrap();
    assert!(gateway.is_replay());
    assert_eq!(gateway.model_for(Tier::C).unwrap().to_string(), "replay (recorded answers, no live model)");
    assert_eq!(gateway.providers()[0].name, "replay");
    let mut asked = call("write Hero");
    asked.request.messages.insert(0, Message::assistant("earlier"));
    let answer = read(gateway.stream(asked).await.unwrap()).await;
    assert_eq!((answer.text.as_str(), answer.done.stop), ("größe", StopReason::Length));
    assert_eq!(answer.done.cost_usd, Some(0.0));
    assert_eq!(*naps.0.lock().unwrap(), [Duration::from_millis(40); 3]);
    assert!(matches!(heard.try_recv(), Ok(Entry::Reserved(_))));
    assert!(matches!(heard.try_recv(), Ok(Entry::Settled(7, _))));
    assert_eq!(gateway.stream(call("Footer")).await.unwrap_err(), GatewayError::NotRecorded);
}
