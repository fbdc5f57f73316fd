//! The simulator against a client that sees every byte: the wire formats, and every way to break them.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use assist_simulator::{
    Ending, Failure, Finish, Manner, Match, Place, Provider, Reply, Rule, Script, Simulator, Stop, Usage,
    answer,
};
use serde_json::{Value, json};

#[derive(Debug, PartialEq)]
enum Ended {
    Cleanly,
    Closed,
    Reset,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    /// The sizes of the HTTP chunks.
    chunks: Vec<usize>,
    body: Vec<u8>,
    ended: Ended,
}

impl Answer {
    fn body(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The text in an event stream, of either format.
    fn text(&self) -> String {
        let events = self.body().lines().filter_map(|line| line.strip_prefix("data: "));
        let values = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
        values
            .map(|value| {
                let delta = value.pointer("/delta/text").or(value.pointer("/choices/0/delta/content"));
                delta.and_then(Value::as_str).unwrap_or_default().to_owned()
            })
            .collect()
    }
}

fn send(sim: &Simulator, head: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(sim.url.strip_prefix("http://").unwrap()).unwrap();
    let length = body.len();
    write!(stream, "{head}\r\nhost: sim\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    stream
}

fn receive(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut ended = None;
    loop {
        if let Some(answer) = parse(&bytes, ended) {
            return answer;
        }
        let mut part = [0; 4096];
        match stream.read(&mut part) {
            Ok(0) => ended = Some(false),
            Ok(n) => bytes.extend(&part[..n]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => ended = Some(true),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The answer, if it is complete or the connection has ended (with a reset or without).
fn parse(bytes: &[u8], ended: Option<bool>) -> Option<Answer> {
    let ending = ended.map(|reset| if reset { Ended::Reset } else { Ended::Closed });
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let start = match response.parse(bytes).unwrap() {
        httparse::Status::Complete(start) => start,
        httparse::Status::Partial => {
            return ending.map(|ended| Answer {
                status: 0,
                head: String::new(),
                chunks: vec![],
                body: vec![],
                ended,
            });
        }
    };
    let status = response.code.unwrap();
    let head = String::from_utf8(bytes[..start].to_vec()).unwrap();
    let mut rest = &bytes[start..];
    let done = |chunks, body, ended| Some(Answer { status, head: head.clone(), chunks, body, ended });
    if let Some(length) = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map(|n| n.parse::<usize>().unwrap())
    {
        return match ending {
            _ if rest.len() == length => done(vec![], rest.to_vec(), Ended::Cleanly),
            Some(ending) => done(vec![], rest.to_vec(), ending),
            None => None,
        };
    }
    let (mut chunks, mut body) = (vec![], vec![]);
    loop {
        match httparse::parse_chunk_size(rest).unwrap() {
            httparse::Status::Complete((used, 0)) if rest.len() >= used + 2 => {
                assert_eq!(&rest[used..], b"\r\n");
                return done(chunks, body, Ended::Cleanly);
            }
            httparse::Status::Complete((used, size))
                if rest.len() >= used + size as usize + 2 && size > 0 =>
            {
                let size = size as usize;
                chunks.push(size);
                body.extend(&rest[used..used + size]);
                rest = &rest[used + size + 2..];
            }
            _ => return ending.and_then(|ending| done(chunks, body, ending)),
        }
    }
}

fn anthropic(sim: &Simulator, messages: Value, stream: bool) -> Answer {
    let body = json!({"model": "sim-1", "max_tokens": 100, "system": "Be brief.", "messages": messages, "stream": stream});
    receive(send(
        sim,
        "POST /v1/messages HTTP/1.1\r\nx-api-key: sk-test\r\nanthropic-version: 2023-06-01",
        &body.to_string(),
    ))
}

fn openai(sim: &Simulator, messages: Value, stream: bool) -> Answer {
    let mut body = json!({"model": "sim-2", "messages": messages, "stream": stream});
    if stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    receive(send(
        sim,
        "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer sk-test",
        &body.to_string(),
    ))
}

fn hello() -> Value {
    json!([{"role": "user", "content": "Hello"}])
}

#[test]
fn anthropic_stream_is_what_the_documentation_shows() {
    let mut reply = Reply::text("Hi 世界").delta_chars(4).reasoning("hm");
    reply.usage = Some(Usage { input: 7, output: 5, cache_read: 3, cache_write: 2 });
    let sim = Simulator::start(Script::always(reply));
    let answer = anthropic(&sim, hello(), true);
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/event-stream"));
    assert!(answer.head.contains("request-id: req_sim000001"));
    assert_eq!(
        answer.body(),
        r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_sim000001","type":"message","role":"assistant","model":"sim-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ltdWxhdGVk"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi 世"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"界"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}

event: message_stop
data: {"type":"message_stop"}

"#
    );
    let recorded = &sim.requests()[0];
    assert_eq!(recorded.key.as_deref(), Some("sk-test"));
    assert_eq!(recorded.header("Anthropic-Version"), Some("2023-06-01"));
    assert_eq!(recorded.asked.as_ref().unwrap().system, "Be brief.");
    assert_eq!(recorded.last_user(), "Hello");
    assert!(sim.problems().is_empty());
}

#[test]
fn openai_stream_is_what_the_documentation_shows() {
    let mut reply = Reply::text("Hi \"世\"").delta_chars(40).reasoning("hm");
    reply.usage = Some(Usage { input: 7, output: 5, cache_read: 3, cache_write: 0 });
    let sim = Simulator::start(Script::always(reply));
    let answer = openai(&sim, hello(), true);
    let base = r#""id":"chatcmpl-sim000001","object":"chat.completion.chunk","created":1741569952,"model":"sim-2","system_fingerprint":"fp_sim","choices""#;
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{{base}:[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
        )
    };
    let expected = [
        chunk(r#"{"role":"assistant","content":"","refusal":null}"#, "null"),
        chunk(r#"{"reasoning_content":"hm"}"#, "null"),
        chunk(r#"{"content":"Hi \"世\""}"#, "null"),
        chunk("{}", r#""stop""#),
        format!(
            "data: {{{base}:[],\"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,\"prompt_tokens_details\":{{\"cached_tokens\":3,\"audio_tokens\":0}},\"completion_tokens_details\":{{\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}}}}}\n\n"
        ),
        "data: [DONE]\n\n".to_owned(),
    ];
    assert_eq!(answer.body(), expected.concat());
}

#[test]
fn answers_that_are_no_streams_are_one_document() {
    let sim = Simulator::start(Script::always(Reply::text("Hi.\n").stop(Stop::Length)));
    let message = anthropic(&sim, hello(), false).json();
    assert_eq!(message["content"], json!([{"type": "text", "text": "Hi.\n"}]));
    assert_eq!(message["stop_reason"], "max_tokens");
    assert!(message["usage"]["output_tokens"].as_u64() > Some(0));
    let completion = openai(&sim, hello(), false).json();
    assert_eq!(completion["choices"][0]["message"]["content"], "Hi.\n");
    assert_eq!(completion["choices"][0]["finish_reason"], "length");
    let body = json!({"model": "sim-3", "messages": hello(), "stream": false}).to_string();
    let chat = receive(send(&sim, "POST /api/chat HTTP/1.1", &body)).json();
    assert_eq!(chat["message"]["content"], "Hi.\n");
    assert_eq!(chat["done_reason"], "length");
}

fn gemini(sim: &Simulator, contents: Value, method: &str) -> Answer {
    let body = json!({"contents": contents, "systemInstruction": {"parts": [{"text": "Be brief."}]}});
    let head = format!("POST /v1beta/models/gem-1:{method} HTTP/1.1\r\nx-goog-api-key: sk-test");
    receive(send(sim, &head, &body.to_string()))
}

#[test]
fn gemini_stream_is_what_the_documentation_shows() {
    let reply =
        Reply::text("Hi you").delta_chars(3).reasoning("hm").tool("now", "").tool("read", "{\"p\":1}");
    let sim = Simulator::start(Script::always(reply));
    let user = json!({"role": "user", "parts": [{"text": "hello"}]});
    let answer = gemini(&sim, json!([user]), "streamGenerateContent?alt=sse");
    let events: Vec<Value> = answer
        .body()
        .split("\r\n\r\n")
        .filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok())
        .collect();
    let parts: Vec<&Value> = events.iter().map(|event| &event["candidates"][0]["content"]["parts"]).collect();
    assert_eq!(parts[0][0], json!({"text": "hm", "thought": true}));
    assert_eq!((&parts[1][0]["text"], &parts[2][0]["text"]), (&json!("Hi "), &json!("you")));
    assert_eq!(parts[3][0]["functionCall"], json!({"name": "now"}));
    assert_eq!(parts[3][1], json!({"functionCall": {"name": "read", "args": {"p": 1}}}));
    assert!(parts[3][0]["thoughtSignature"].is_string(), "the first of parallel calls is signed");
    assert_eq!(events[4]["candidates"][0]["finishReason"], "STOP");
    assert!(events[4]["usageMetadata"]["candidatesTokenCount"].as_u64() > Some(0));
    assert_eq!(events.len(), 5);
    let asked = sim.requests()[0].asked.clone().unwrap();
    assert_eq!(
        (asked.model.as_str(), asked.system.as_str(), asked.last_user()),
        ("gem-1", "Be brief.", "hello")
    );

    // What was signed must come back signed.
    let unsigned = json!({"role": "model", "parts": [{"functionCall": {"name": "now"}}]});
    let result = json!({"role": "user", "parts": [{"functionResponse": {"name": "now", "response": {"output": "noon"}}}]});
    let answer = gemini(&sim, json!([user, unsigned, result]), "streamGenerateContent?alt=sse");
    assert_eq!(answer.status, 400);
    assert!(answer.body().contains("missing a thought_signature"), "{}", answer.body());
    let signed = json!({"role": "model", "parts": parts[3]});
    let whole = gemini(&sim, json!([user, signed, result]), "generateContent");
    assert_eq!(whole.json()["candidates"][0]["content"]["parts"][1]["text"], "Hi you");
    assert_eq!(sim.requests().pop().unwrap().last_user(), r#"{"output":"noon"}"#);
}

#[test]
fn tools_are_called_in_each_format_and_must_be_answered() {
    let sim =
        Simulator::start(Script::always(Reply::text("I").tool("read", r#"{"path":"a"}"#).tool("now", "")));
    let answer = anthropic(&sim, hello(), true);
    let body = answer.body();
    assert!(
        body.contains(
            r#""content_block":{"type":"tool_use","id":"toolu_sim000100","name":"read","input":{}}"#
        )
    );
    let fragments: String = body
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| event["delta"]["partial_json"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(fragments, r#"{"path":"a"}"#);
    assert!(body.contains(r#""stop_reason":"tool_use""#));
    let answer = openai(&sim, hello(), true);
    assert!(answer.body().contains(r#""tool_calls":[{"index":1,"id":"call_sim000201","type":"function","function":{"name":"now","arguments":""}}]"#));
    assert!(answer.body().contains(r#""finish_reason":"tool_calls""#));

    let called = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "read", "input": {}}]});
    let talk = json!({"role": "user", "content": "and?"});
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "text of a"}]});
    let first = hello()[0].clone();
    assert_eq!(anthropic(&sim, json!([first, called, talk]), true).status, 400);
    assert_eq!(anthropic(&sim, json!([first, called, result]), true).status, 200);
    assert_eq!(sim.requests().pop().unwrap().last_user(), "text of a");
    let called = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": "text of a"});
    assert_eq!(openai(&sim, json!([first, called, talk]), true).status, 400);
    assert_eq!(openai(&sim, json!([first, called, result]), true).status, 200);
    assert_eq!(sim.requests().pop().unwrap().last_user(), "text of a");

    let cut = Reply { cut_tools: Some(2), ..Reply::text("I").tool("read", r#"{"path":"a"}"#) };
    let sim = Simulator::start(Script::always(cut));
    let answer = openai(&sim, hello(), true);
    assert_eq!(answer.ended, Ended::Cleanly);
    assert!(answer.body().contains("read") && !answer.body().contains("[DONE]"));
}

#[test]
fn a_compressed_stream_can_be_read_as_it_comes() {
    let sim = Simulator::start(Script::always(Reply {
        gzip: true,
        ..Reply::text("größe größe").chunk_bytes(3)
    }));
    let answer = openai(&sim, hello(), true);
    assert!(answer.head.contains("content-encoding: gzip"));
    let mut plain = String::new();
    flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_string(&mut plain).unwrap();
    assert!(plain.ends_with("data: [DONE]\n\n"), "{plain}");
}

#[test]
fn ollama_tells_a_models_context() {
    let sim =
        Simulator::start(Script { context: Some(4096), models: vec!["a".to_owned()], ..Script::default() });
    let show =
        |model: &str| receive(send(&sim, "POST /api/show HTTP/1.1", &json!({"model": model}).to_string()));
    assert_eq!(show("a").json()["model_info"]["llama.context_length"], 4096);
    assert_eq!(show("b").status, 404);
}

#[test]
fn ollama_streams_one_object_a_line() {
    let sim = Simulator::start(Script::always(Reply::text("Hi you").delta_chars(3)));
    let body = json!({"model": "sim-3", "messages": hello()}).to_string();
    let answer = receive(send(&sim, "POST /api/chat HTTP/1.1", &body));
    let lines: Vec<Value> = answer.body().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: Vec<&str> = lines.iter().map(|line| line["message"]["content"].as_str().unwrap()).collect();
    assert_eq!(texts, ["Hi ", "you", ""]);
    assert_eq!(lines[1]["done"], false);
    assert_eq!((&lines[2]["done"], &lines[2]["done_reason"]), (&json!(true), &json!("stop")));
}

#[test]
fn models_are_listed_in_each_format_and_unknown_ones_refused() {
    let script = Script { models: vec!["sim-1".to_owned()], ..Script::always(Reply::text("x")) };
    let sim = Simulator::start(script);
    let get = |head: &str| receive(send(&sim, head, ""));
    let list = get("GET /v1/models HTTP/1.1\r\nx-api-key: k\r\nanthropic-version: 2023-06-01").json();
    assert_eq!((&list["data"][0]["id"], &list["has_more"]), (&json!("sim-1"), &json!(false)));
    let list = get("GET /v1/models HTTP/1.1\r\nauthorization: Bearer k").json();
    assert_eq!((&list["object"], &list["data"][0]["id"]), (&json!("list"), &json!("sim-1")));
    assert_eq!(get("GET /api/tags HTTP/1.1").json()["models"][0]["name"], "sim-1");

    assert_eq!(anthropic(&sim, hello(), true).status, 200);
    let refused = openai(&sim, hello(), true);
    assert_eq!((refused.status, refused.json()["error"]["code"].clone()), (404, json!("model_not_found")));
}

#[test]
fn keys_are_checked_and_requests_must_be_right() {
    let script = Script { keys: vec!["good".to_owned()], ..Script::always(Reply::text("x")) };
    let sim = Simulator::start(script);
    let refused = anthropic(&sim, hello(), true);
    assert_eq!(
        (refused.status, refused.json()["error"]["type"].clone()),
        (401, json!("authentication_error"))
    );
    assert_eq!(openai(&sim, hello(), true).status, 401);
    assert_eq!(receive(send(&sim, "GET /v1/models HTTP/1.1", "")).status, 401);

    let post = |headers: &str, body: Value| {
        receive(send(
            &sim,
            &format!("POST /v1/messages HTTP/1.1\r\nx-api-key: good{headers}"),
            &body.to_string(),
        ))
    };
    let version = "\r\nanthropic-version: 2023-06-01";
    let message = |answer: &Answer| answer.json()["error"]["message"].as_str().unwrap().to_owned();
    let body = json!({"model": "m", "max_tokens": 1, "messages": hello()});
    assert_eq!(message(&post("", body)), "anthropic-version: header is required");
    assert_eq!(
        message(&post(version, json!({"model": "m", "messages": hello()}))),
        "max_tokens: Field required"
    );
    let prefill = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
    let answer = post(version, json!({"model": "m", "max_tokens": 1, "messages": prefill}));
    assert!(message(&answer).contains("must end with a user message"), "{answer:?}");
    let head = format!("POST /v1/messages HTTP/1.1\r\nx-api-key: good{version}");
    assert_eq!(receive(send(&sim, &head, "{no json")).status, 400);
    assert_eq!(receive(send(&sim, "POST /v1/v1/messages HTTP/1.1", "{}")).status, 404);
    assert_eq!(sim.problems().len(), 5);
}

#[test]
fn chunks_split_anywhere_even_inside_a_character() {
    let text = "世界 says \"hi\" 🎉\n";
    for size in [1, 2, 7] {
        let sim = Simulator::start(Script::always(Reply::text(text).chunk_bytes(size)));
        for answer in [anthropic(&sim, hello(), true), openai(&sim, hello(), true)] {
            assert_eq!(answer.text(), text);
            assert!(answer.chunks.iter().rev().skip(1).all(|chunk| *chunk == size));
            assert_eq!(answer.ended, Ended::Cleanly);
        }
    }
    let mut reply = Reply::text(text);
    reply.write_bytes = Some(1);
    reply.ascii = true;
    let answer = anthropic(&Simulator::start(Script::always(reply)), hello(), true);
    assert!(answer.body.is_ascii());
    assert_eq!(answer.text(), text);
}

#[test]
fn a_cut_text_ends_as_the_script_says() {
    let text = "let a = 1;\nlet b = 2;\n";
    let run = |ending| {
        let sim = Simulator::start(Script::always(Reply::text(text).cut(Place::Char(15), ending)));
        let answers = [anthropic(&sim, hello(), true), openai(&sim, hello(), true)];
        let finishes = [1, 2].map(|n| sim.blocking_finished(n).finish.unwrap());
        assert_eq!(sim.requests()[0].text, &text[..15]);
        for answer in answers.iter().filter(|answer| answer.ended != Ended::Reset) {
            assert_eq!(answer.text(), &text[..15]);
        }
        (answers, finishes)
    };
    let ([a, b], _) = run(Ending::LengthStop);
    assert!(a.body().contains(r#""stop_reason":"max_tokens""#) && a.body().contains("event: message_stop"));
    assert!(b.body().contains(r#""finish_reason":"length""#) && b.body().ends_with("data: [DONE]\n\n"));
    let ([a, b], _) = run(Ending::FalseStop);
    assert!(a.body().contains(r#""stop_reason":"end_turn""#));
    assert!(b.body().contains(r#""finish_reason":"stop""#));
    for (ending, ended, finish) in [
        (Ending::CleanEnd, Ended::Cleanly, Finish::Sent),
        (Ending::UnfinishedBody, Ended::Closed, Finish::Broken),
        (Ending::Reset, Ended::Reset, Finish::Broken),
    ] {
        let ([a, b], finishes) = run(ending);
        assert_eq!((&a.ended, &b.ended), (&ended, &ended));
        assert_eq!(finishes, [finish, finish]);
        assert!([&a, &b].iter().all(|answer| text[..15].starts_with(&answer.text())));
        assert!(!a.body().contains("message_delta") && !b.body().contains(r#""finish_reason":"stop""#));
        assert!(!b.body().contains("[DONE]"));
    }
}

#[test]
fn a_torn_event_and_a_missing_stop_reason() {
    let reply = Reply::text("one two").torn(Place::After("one".to_owned()), Ending::UnfinishedBody, 19);
    let answer = anthropic(&Simulator::start(Script::always(reply)), hello(), true);
    assert!(answer.body().ends_with("\n\nevent: content_bloc"), "{}", answer.body());

    let sim = Simulator::start(Script::always(Reply::text("one").stop(Stop::Missing)));
    assert!(anthropic(&sim, hello(), true).body().contains(r#""stop_reason":null,"stop_sequence":null},"#));
    let answer = openai(&sim, hello(), true);
    assert!(answer.body().contains("[DONE]") && !answer.body().contains(r#""finish_reason":""#));
}

#[test]
fn places_are_where_they_say() {
    let at = |place: Place| {
        let sim = Simulator::start(Script::always(Reply::text("ab 世界\ncd").cut(place, Ending::LengthStop)));
        openai(&sim, hello(), true).text()
    };
    assert_eq!(at(Place::Byte(4)), "ab ");
    assert_eq!(at(Place::Char(4)), "ab 世");
    assert_eq!(at(Place::Token(2)), "ab ");
    assert_eq!(at(Place::Line(1)), "ab 世界\n");
    assert_eq!(at(Place::Before("c".to_owned())), "ab 世界\n");
    assert_eq!(at(Place::FromEnd(1)), "ab 世界\nc");
    assert_eq!(at(Place::New(1)), "a");
    assert_eq!(at(Place::Char(99)), "ab 世界\ncd");
}

#[test]
fn error_statuses_look_like_the_providers() {
    let check = |failure: Failure, anthropic_is: (u16, &str), openai_is: (u16, &str)| {
        let sim = Simulator::start(Script::always(Reply::error(failure)));
        let a = anthropic(&sim, hello(), true);
        let b = openai(&sim, hello(), true);
        assert_eq!((a.status, a.json()["error"]["type"].as_str().unwrap()), anthropic_is);
        let error = &b.json()["error"];
        let word = error["code"].as_str().or(error["type"].as_str()).unwrap();
        assert_eq!((b.status, word), openai_is);
        (a, b)
    };
    let (a, b) =
        check(Failure::RateLimited(Some(2)), (429, "rate_limit_error"), (429, "rate_limit_exceeded"));
    assert!(a.head.contains("\r\nretry-after: 2\r\n") && b.head.contains("\r\nretry-after: 2\r\n"));
    check(Failure::Overloaded, (529, "overloaded_error"), (503, "server_error"));
    check(Failure::Internal, (500, "api_error"), (500, "server_error"));
    check(Failure::Unauthorized, (401, "authentication_error"), (401, "invalid_api_key"));
    check(Failure::ModelNotFound, (404, "not_found_error"), (404, "model_not_found"));
    check(Failure::ContextTooLong, (400, "invalid_request_error"), (400, "context_length_exceeded"));
    check(Failure::NoCredit, (400, "invalid_request_error"), (429, "insufficient_quota"));

    let sim = Simulator::start(Script::new([
        Rule::always(Reply::error(Failure::Html(502))).times(1),
        Rule::always(Reply::error(Failure::HangUp)),
    ]));
    let page = anthropic(&sim, hello(), true);
    assert!(page.status == 502 && page.body().starts_with("<html>"));
    let nothing = anthropic(&sim, hello(), true);
    assert_eq!((nothing.status, nothing.ended), (0, Ended::Closed));
}

#[test]
fn an_error_event_breaks_the_stream_off() {
    let reply = Reply::text("one two").mid_error(Place::Char(4), "overloaded_error", "Overloaded");
    let sim = Simulator::start(Script::always(reply));
    let a = anthropic(&sim, hello(), true);
    assert!(a.body().ends_with(
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"
    ));
    assert_eq!((a.text().as_str(), a.ended), ("one ", Ended::Cleanly));
    assert!(openai(&sim, hello(), true).body().contains(r#"data: {"error":{"message":"Overloaded""#));
}

#[test]
fn rules_match_by_content_not_by_order() {
    let by = |when: Match, text: &str| Rule::when(when, Reply::text(text));
    let nth = |nth| Match { last_user: Some("again".into()), nth: Some(nth), ..Match::default() };
    let sim = Simulator::start(Script::new([
        by(nth(2), "second time"),
        by(Match { provider: Some(Provider::Openai), ..Match::default() }, "openai"),
        Rule::asked("once", Reply::text("only once")).times(1),
        by(
            Match { system: Some("brief".into()), last_user: Some("system".into()), ..Match::default() },
            "brief",
        ),
        Rule::about("far up", Reply::text("seen")),
        Rule::about("again", Reply::text("not the second time")),
    ]));
    let ask = |text: &str| {
        anthropic(&sim, json!([{"role": "user", "content": [{"type": "text", "text": text}]}]), true)
    };
    assert_eq!(ask("say system").text(), "brief");
    assert_eq!(ask("once").text(), "only once");
    assert_eq!(ask("once").status, 400);
    assert_eq!(ask("again").text(), "not the second time");
    assert_eq!(ask("again").text(), "second time");
    assert_eq!(ask("again").text(), "not the second time");
    assert_eq!(openai(&sim, hello(), true).text(), "openai");
    let long = json!([{"role": "user", "content": "far up"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]);
    assert_eq!(anthropic(&sim, long, true).text(), "seen");
    assert_eq!(sim.problems().len(), 1);
}

#[test]
fn a_client_that_goes_away_is_noticed() {
    let sim = Simulator::start(Script::always(Reply::text("one two three").stall(Place::Char(4))));
    let body = json!({"model": "m", "messages": hello(), "stream": true}).to_string();
    let stream = send(&sim, "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k", &body);
    sim.blocking_stalled(1);
    assert_eq!(sim.requests()[0].finish, None);
    drop(stream);
    assert_eq!(sim.blocking_disconnected().text, "one two three");
}

#[test]
fn a_stall_lasts_until_it_is_released() {
    let sim = Simulator::start(Script::always(Reply::text("one two three").stall(Place::Char(4))));
    let body = json!({"model": "m", "messages": hello(), "stream": true}).to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k";
    let held = send(&sim, head, &body);
    sim.blocking_stalled(1);
    sim.release_stall();
    assert_eq!(receive(held).text(), "one two three");
    // The release was for that one only.
    let held = send(&sim, head, &body);
    sim.blocking_stalled(2);
    assert_eq!(sim.requests()[1].finish, None);
    sim.release_stall();
    assert_eq!(receive(held).text(), "one two three");
}

const CODE: &str = "export function Hero() {\n    const total = items.map((item) => item.size).join(\"\");\n    const more = items.filter((item) => item.open && item.size > 3);\n    return (\n        <section className=\"hero\" title=\"世界\">\n            <h1>{total}</h1>\n            <p>{more.length} offen 🎉</p>\n        </section>\n    );\n}\n";

/// What a client that follows the design sends to get the rest.
fn continuation(received: &str) -> Value {
    let chars = received.chars().count();
    let tail: String = received.chars().skip(chars.saturating_sub(200)).collect();
    json!([
        {"role": "user", "content": format!("Change Hero in this file:\n```\n{CODE}```\n/// COMPONENT_START: NAME path=\"..\" id=7f3a ///\n")},
        {"role": "assistant", "content": received},
        {"role": "user", "content": format!("It was cut. Repeat these characters exactly and go on:\n{tail}\n/// COMPONENT_END comes last.")},
    ])
}

#[test]
fn a_continuation_is_exact_wherever_the_text_was_cut() {
    let raw = answer("Hero", "src/Hero.tsx", CODE);
    let full = raw.replace("@@id@@", "7f3a");
    let first = json!([{"role": "user", "content": "Ask. /// COMPONENT_START: NAME id=7f3a ///"}]);
    for cut in (1..full.chars().count()).step_by(7) {
        let sim = Simulator::start(Script::first_then(
            Reply::text(&raw).cut(Place::Char(cut), Ending::LengthStop),
            Reply::continuing(&raw, Manner::NoOverlap),
        ));
        let received = openai(&sim, first.clone(), true).text();
        assert_eq!(received.chars().count(), cut);
        let rest = openai(&sim, continuation(&received), true);
        assert_eq!(format!("{received}{}", rest.text()), full, "cut at {cut}");
    }
}

#[test]
fn a_continuation_finds_its_place_without_memory() {
    let raw = answer("Hero", "src/Hero.tsx", CODE);
    let full = raw.replace("@@id@@", "7f3a");
    // Here the simulator has not sent the first part itself.
    let sim = Simulator::start(Script::always(Reply::continuing(&raw, Manner::NoOverlap)));
    for (cut, _) in full.char_indices().skip(60).step_by(23) {
        let rest = openai(&sim, continuation(&full[..cut]), true).text();
        assert_eq!(rest.trim_start(), full[cut..].trim_start(), "cut at {cut}");
    }
    assert_eq!(openai(&sim, json!([{"role": "user", "content": "Something else"}]), true).status, 400);
    assert_eq!(sim.problems().len(), 1);
}

#[test]
fn continuations_attach_in_every_manner() {
    let full: String = (0..60).map(|n| format!("line {n};\n")).collect();
    let cut = full.find("ne 40").unwrap();
    let (received, rest) = full.split_at(cut);
    let tail = &received[received.len() - 200..];
    let get = |manner: Manner| {
        let sim = Simulator::start(Script::always(Reply::continuing(&full, manner)));
        openai(&sim, json!([{"role": "user", "content": format!("Continue:\n{tail}")}]), true).text()
    };
    assert_eq!(get(Manner::Exact), format!("{tail}{rest}"));
    assert_eq!(get(Manner::Prose("Sure:".to_owned())), format!("Sure:\n{tail}{rest}"));
    assert_eq!(get(Manner::Fenced("ts".to_owned())), format!("```ts\n{tail}{rest}\n```\n"));
    assert_eq!(get(Manner::Overlap(20)), format!("{}{rest}", &tail[180..]));
    assert_eq!(get(Manner::NoOverlap), rest);
    assert_eq!(get(Manner::Restart), full);
    let indented = get(Manner::Reindented(2));
    assert!(indented.ends_with(rest) && indented.contains("\n  line 39;\n  li"));
    let reworded = get(Manner::Reworded);
    assert!(reworded.ends_with(rest) && !reworded.contains(&tail[..30]));
}

#[test]
fn a_continuation_can_be_cut_again_after_some_new_characters() {
    let full: String = (0..60).map(|n| format!("line {n};\n")).collect();
    let sim = Simulator::start(Script::new([
        Rule::always(Reply::text(&full).cut(Place::Char(300), Ending::UnfinishedBody)).times(1),
        Rule::always(Reply::continuing(&full, Manner::Exact).cut(Place::New(10), Ending::LengthStop))
            .times(1),
        Rule::always(Reply::continuing(&full, Manner::Exact)),
    ]));
    let received = openai(&sim, hello(), true).text();
    assert_eq!(received, &full[..300]);
    let again = |received: &str| {
        openai(
            &sim,
            json!([{"role": "user", "content": format!("Go on:\n{}", &received[received.len() - 200..])}]),
            true,
        )
    };
    assert_eq!(again(&full[..300]).text(), &full[100..310]);
    assert_eq!(again(&full[..310]).text(), &full[110..]);
}

#[test]
fn the_id_is_the_one_the_request_issues() {
    let sim = Simulator::start(Script::always(Reply::text(answer("A", "a.ts", "a"))));
    let ask = |system: &str, user: &str| {
        let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": user}]);
        openai(&sim, messages, true).text().lines().next().unwrap().to_owned()
    };
    let foreign = "/// COMPONENT_START: B id=f0f0 ///";
    let id = |id: &str| format!("/// COMPONENT_START: A path=\"a.ts\" exports=A{id} ///");
    assert_eq!(ask("/// COMPONENT_START: NAME exports=Grid=x id=7f3a ///", foreign), id(" id=7f3a"));
    assert_eq!(ask("Be brief.", foreign), id(" id=f0f0"));
    assert_eq!(ask("Be brief.", "Hello"), id(""));
}

#[test]
fn scripts_are_data() {
    let folder = std::env::temp_dir();
    let json = r#"{
        "models": ["m1"],
        "rules": [
            {"name": "cut", "times": 1, "when": {"provider": "anthropic", "last_user": {"regex": "(?i)hel+o"}},
             "reply": {"text": ["a", "b"], "chunk_bytes": 1, "cut": {"at": {"line": 1}, "ending": "length_stop"}}},
            {"when": {"messages": ["x", {"not": "y"}]}, "reply": {"error": {"rate_limited": 3}}},
            {"reply": {"continue_of": "abc", "manner": {"overlap": 2}, "stall": "before_headers",
                       "inject": [{"at": {"char": 0}, "raw": ": keep-alive\n\n"}], "stop": {"word": "new"}}}
        ]
    }"#;
    let script = Script::from_json(json, &folder).unwrap();
    assert_eq!(script.rules[0].reply.text.get(), "a\nb\n");
    assert_eq!(script.rules[1].reply.error, Some(Failure::RateLimited(Some(3))));
    assert_eq!(script.rules[2].reply.manner, Manner::Overlap(2));
    for wrong in [
        r#"{"rules": [{"reply": {"txet": "a"}}]}"#,
        r#"{"rules": [{"when": {"system": {"regex": "("}}, "reply": {"text": "a"}}]}"#,
        r#"{"rules": [{"reply": {"text": {"file": "/no/such/file"}}}]}"#,
    ] {
        assert!(Script::from_json(wrong, &folder).is_err(), "{wrong}");
    }
}

#[test]
fn the_program_serves_a_script_and_other_processes_can_look() {
    let folder = std::env::temp_dir().join(format!("sim-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("answer.txt"), "from a file").unwrap();
    std::fs::write(
        folder.join("script.json"),
        r#"{"rules": [{"reply": {"text": {"file": "answer.txt"}, "stall": {"at": {"char": 4}}}}]}"#,
    )
    .unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_assist-simulator"))
        .arg("--script")
        .arg(folder.join("script.json"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut url = String::new();
    std::io::BufRead::read_line(&mut out, &mut url).unwrap();
    let address = url.trim().strip_prefix("http://").unwrap().to_owned();
    let request = |head: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        stream
    };
    let body = json!({"model": "m", "messages": hello(), "stream": true}).to_string();
    let held = request("POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k", &body);
    let seen = receive(request("GET /_sim/requests?stalled=1 HTTP/1.1", "")).json();
    assert_eq!((&seen[0]["lastUser"], &seen[0]["finish"]), (&json!("Hello"), &Value::Null));
    receive(request("POST /_sim/release HTTP/1.1", ""));
    assert_eq!(receive(held).text(), "from a file");
    let seen = receive(request("GET /_sim/requests?finished=1 HTTP/1.1", "")).json();
    assert_eq!(seen[0]["finish"], "sent");
    assert_eq!(receive(request("GET /_sim/problems HTTP/1.1", "")).json(), json!([]));
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
