//! Tools, pictures and shapes of answers, with every provider: what is sent must be what the provider takes (the
//! simulator checks it as the real ones do), and what comes back must be usable or plainly not.

use crate::support::{call, config, gateway, read};
use assist_gateway::{
    Extras, GatewayError, Image, ModelRef, Output, Part, ProviderInfo, Role, Tool, ToolCall, ToolChoice,
    ToolResult, Turn, registry,
};
use assist_simulator::{Failure, Match, Reply, Rule, Script, Simulator};
use serde_json::{Value, json};

fn read_tool() -> Tool {
    Tool {
        name: "read".to_owned(),
        description: "Reads a file.".to_owned(),
        parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}),
    }
}

fn now_tool() -> Tool {
    Tool { name: "now".to_owned(), description: "The time.".to_owned(), parameters: Value::Null }
}

fn extras() -> Extras {
    Extras { tools: vec![read_tool(), now_tool()], ..Extras::default() }
}

/// The places where a provider's body holds what: tools, the choice of one, a field for the shape of the answer.
fn places(info: &ProviderInfo) -> (&'static str, Option<&'static str>, Option<&'static str>) {
    match info.name {
        "anthropic" => ("/tools/0/input_schema", Some("/tool_choice"), Some("/output_config/format/schema")),
        "gemini" => (
            "/tools/0/functionDeclarations/0/parametersJsonSchema",
            Some("/toolConfig/functionCallingConfig"),
            Some("/generationConfig/responseJsonSchema"),
        ),
        "ollama" => ("/tools/0/function/parameters", None, Some("/format")),
        _ => (
            "/tools/0/function/parameters",
            Some("/tool_choice"),
            Some("/response_format/json_schema/schema"),
        ),
    }
}

#[tokio::test]
async fn tools_are_called_in_parallel_without_parameters_and_answered() {
    for info in registry() {
        for size in [1, 7, 1 << 20] {
            let asks = Reply::text("I look.")
                .reasoning("größer?")
                .tool("read", r#"{"path":"src/größe.ts"}"#)
                .tool("now", "")
                .tool("read", r#"{"path":"b"}"#)
                .chunk_bytes(size);
            let when = Match { messages: Some("the file's text".into()), ..Match::default() };
            let script = Script::new([Rule::when(when, Reply::text("All seen.")), Rule::always(asks)]);
            let simulator = Simulator::start(script);
            let gateway = gateway(config(info.name, &simulator.url));
            let place = format!("{} at {size}", info.name);

            let answer = read(gateway.stream_with(call("look"), extras()).await.unwrap()).await;
            assert_eq!((answer.text.as_str(), answer.done.stop.as_str()), ("I look.", "tool"), "{place}");
            let calls: Vec<ToolCall> = answer.turn.tool_calls().cloned().collect();
            let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
            assert_eq!(names, ["read", "now", "read"], "{place}");
            assert_eq!(calls[0].arguments.as_ref().unwrap()["path"], "src/größe.ts", "{place}");
            assert!(calls[1].arguments.as_ref().unwrap().is_empty(), "{place}");
            let ids: std::collections::BTreeSet<&str> = calls.iter().map(|call| call.id.as_str()).collect();
            assert_eq!(ids.len(), 3, "{place}: ids tell calls apart");
            assert_eq!(
                simulator.requests()[0].json().pointer(places(info).0),
                Some(&read_tool().parameters),
                "{place}"
            );

            // The conversation goes on; a turn that was stored and read back is as good as the first.
            let stored = serde_json::to_string(&answer.turn).unwrap();
            let results = calls.iter().enumerate().map(|(at, call)| ToolResult {
                id: call.id.clone(),
                name: call.name.clone(),
                content: "the file's text".to_owned(),
                failed: at == 1,
            });
            let turns = vec![serde_json::from_str(&stored).unwrap(), Turn::results(results)];
            let again = Extras { turns, ..extras() };
            let answer = read(gateway.stream_with(call("look"), again).await.unwrap()).await;
            assert_eq!((answer.text.as_str(), answer.done.stop.as_str()), ("All seen.", "end"), "{place}");
            assert_eq!(simulator.problems(), Vec::<String>::new(), "{place}");
        }
    }
}

#[tokio::test]
async fn arguments_that_are_no_json_are_told_and_can_be_sent_back() {
    // The others send arguments as JSON, so that they cannot be malformed.
    for info in registry().filter(|info| !matches!(info.name, "gemini" | "ollama")) {
        for arguments in [r#"{"path": "#, "[1,2]", "not json", "{\"a\":1}{\"b\":2}", "\u{1F600}"] {
            let simulator = Simulator::start(Script::first_then(
                Reply::text("").tool("read", arguments).tool("read", r#"{"path":"a"}"#),
                Reply::text("sorry"),
            ));
            let gateway = gateway(config(info.name, &simulator.url));
            let answer = read(gateway.stream_with(call("look"), extras()).await.unwrap()).await;
            let calls: Vec<ToolCall> = answer.turn.tool_calls().cloned().collect();
            let place = format!("{} {arguments}", info.name);
            let bad = calls[0].arguments.as_ref().unwrap_err();
            assert_eq!(bad.text, arguments, "{place}");
            assert!(bad.to_string().contains("call the tool again"), "{bad}");
            assert!(calls[1].arguments.is_ok(), "{place}: the other call is not touched");
            let results = calls.iter().map(|call| ToolResult {
                id: call.id.clone(),
                name: call.name.clone(),
                content: call.arguments.as_ref().err().map(ToString::to_string).unwrap_or_default(),
                failed: call.arguments.is_err(),
            });
            let turns = vec![answer.turn.clone(), Turn::results(results)];
            let again = Extras { turns, ..extras() };
            assert_eq!(
                read(gateway.stream_with(call("look"), again).await.unwrap()).await.text,
                "sorry",
                "{place}"
            );
            assert_eq!(simulator.problems(), Vec::<String>::new(), "{place}");
        }
    }
}

#[tokio::test]
async fn a_call_that_is_cut_is_never_made() {
    for info in registry() {
        for events in 0..4 {
            let reply = Reply {
                cut_tools: Some(events),
                ..Reply::text("I look.").tool("read", r#"{"path":"a-long-path"}"#).tool("now", "{}")
            };
            let simulator = Simulator::start(Script::always(reply));
            let gateway = gateway(config(info.name, &simulator.url));
            let answer = read(gateway.stream_with(call("look"), extras()).await.unwrap()).await;
            assert_eq!(answer.done.stop.as_str(), "cut", "{} {events}", info.name);
            assert_eq!(answer.text, "I look.", "{} {events}", info.name);
            assert_eq!(answer.turn.tool_calls().count(), 0, "{} {events}", info.name);
        }
    }
}

#[tokio::test]
async fn signed_thoughts_go_back_to_their_model_only() {
    for name in ["anthropic", "gemini"] {
        let simulator =
            Simulator::start(Script::always(Reply::text("I look.").reasoning("hm").tool("now", "")));
        let gateway_of = gateway(config(name, &simulator.url));
        let answer = read(gateway_of.stream_with(call("look"), extras()).await.unwrap()).await;
        let called = answer.turn.tool_calls().next().unwrap().clone();
        let result = ToolResult { id: called.id, name: called.name, content: "noon".into(), failed: false };
        let turns = vec![answer.turn.clone(), Turn::results([result])];
        let again = Extras { turns, ..extras() };
        read(gateway_of.stream_with(call("look"), again.clone()).await.unwrap()).await;
        let signed = |at: usize| simulator.requests()[at].json().to_string().contains("c2ltdWxhdGVk");
        assert!(!signed(0) && signed(1), "{name}");
        // Another model of the same provider, and every other provider, gets the plain parts.
        let mut other = call("look");
        other.model = Some(format!("{name}/another-model"));
        read(gateway_of.stream_with(other, again.clone()).await.unwrap()).await;
        assert!(!signed(2), "{name}");
        for info in registry().filter(|info| info.name != name) {
            let simulator = Simulator::start(Script::always(Reply::text("fine")));
            let gateway = gateway(config(info.name, &simulator.url));
            let answer = read(gateway.stream_with(call("look"), again.clone()).await.unwrap()).await;
            assert_eq!(answer.text, "fine", "{name} to {}", info.name);
            assert!(!simulator.requests()[0].json().to_string().contains("c2ltdWxhdGVk"), "{}", info.name);
        }
        assert_eq!(simulator.problems(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn whether_to_call_is_said_in_each_providers_words() {
    for info in registry() {
        let simulator = Simulator::start(Script::always(Reply::text("x")));
        let gateway = gateway(config(info.name, &simulator.url));
        let choices =
            [ToolChoice::Auto, ToolChoice::Never, ToolChoice::Required, ToolChoice::Named("now".to_owned())];
        let mut said = Vec::new();
        for tool_choice in choices {
            let extras = Extras { tool_choice, ..extras() };
            read(gateway.stream_with(call("look"), extras).await.unwrap()).await;
            let body = simulator.requests().pop().unwrap().json();
            said.push(places(info).1.map_or_else(
                || body["tools"].clone(),
                |place| body.pointer(place).cloned().unwrap_or_default(),
            ));
        }
        if info.name == "ollama" {
            assert!(said[1].is_null() && said[3].as_array().unwrap().len() == 1, "{said:?}");
            continue;
        }
        assert!(said[0].is_null(), "{}: {said:?}", info.name);
        let kinds: std::collections::BTreeSet<String> = said.iter().map(Value::to_string).collect();
        assert_eq!(kinds.len(), 4, "{}: {said:?}", info.name);
    }
}

#[tokio::test]
async fn a_shape_is_asked_for_in_a_field_or_in_words() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false});
    for info in registry() {
        let simulator = Simulator::start(Script::always(Reply::text("```json\n{\"n\": 7}\n```")));
        let gateway = gateway(config(info.name, &simulator.url));
        let output = Output::Schema { name: "number".to_owned(), schema: schema.clone() };
        let answer = gateway.ask(call("a number"), Extras { output, ..Extras::default() }).await.unwrap();
        assert_eq!(answer.json().unwrap(), json!({"n": 7}), "{}", info.name);
        let body = simulator.requests()[0].json();
        assert_eq!(body.pointer(places(info).2.unwrap()), Some(&schema), "{}: {body}", info.name);
        gateway.ask(call("json"), Extras { output: Output::Json, ..Extras::default() }).await.unwrap();
        let body = simulator.requests()[1].json().to_string();
        assert!(body.to_lowercase().contains("json"), "{}: {body}", info.name);
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_the_field_is_told_in_words() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    for (name, words) in [
        ("openai-compatible", "'response_format.type' must be 'text': json_schema is not supported"),
        ("anthropic", "output_config: Extra inputs are not permitted"),
        (
            "gemini",
            "Invalid JSON payload received. Unknown name \\\"responseJsonSchema\\\" at 'generation_config'",
        ),
    ] {
        let body = format!(r#"{{"error":{{"message":"{words}","type":"invalid_request_error"}}}}"#);
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let refusal = Failure::Raw { status: 400, headers, body };
        let script = Script::first_then(Reply::error(refusal), Reply::text("{\"n\": 7}"));
        let simulator = Simulator::start(script);
        let gateway = gateway(config(name, &simulator.url));
        for _ in 0..2 {
            let output = Output::Schema { name: "number".to_owned(), schema: schema.clone() };
            let answer = gateway.ask(call("a number"), Extras { output, ..Extras::default() }).await.unwrap();
            assert_eq!(answer.json().unwrap(), json!({"n": 7}), "{name}");
        }
        let requests = simulator.requests();
        assert_eq!(requests.len(), 3, "{name}: learnt once");
        let asked = requests[2].asked.as_ref().unwrap();
        assert!(
            asked.system.starts_with("Be brief.") && asked.system.contains(&schema.to_string()),
            "{}",
            asked.system
        );
    }
}

#[tokio::test]
async fn pictures_are_sent_where_they_can_be_seen() {
    let image = Image::new(b"\x89PNG\r\n\x1a\nrest").unwrap();
    for info in registry() {
        let simulator = Simulator::start(Script::always(Reply::text("a cat")));
        let gateway = gateway(config(info.name, &simulator.url));
        let mut call = call("");
        call.request.messages.clear();
        let turns = vec![Turn::user("What is this?").with_image(image.clone())];
        let extras = Extras { turns, ..Extras::default() };
        assert_eq!(read(gateway.stream_with(call, extras).await.unwrap()).await.text, "a cat");
        let request = &simulator.requests()[0];
        assert!(request.json().to_string().contains("iVBORw0KGgpyZXN0"), "{}", info.name);
        assert_eq!(request.last_user(), "What is this?", "{}", info.name);
    }
}

#[tokio::test]
async fn a_model_that_is_known_to_be_blind_is_not_asked() {
    let simulator = Simulator::start(Script::always(Reply::text("x")));
    let mut config = config("nim", &simulator.url);
    let own =
        "[[model]]\nprovider = \"nim\"\nname = \"sim-model\"\ninput = 0.0\noutput = 0.0\ncan = [\"tools\"]";
    config.catalogue = Some(assist_gateway::Catalogue::built_in().overridden(own).unwrap());
    let turns = vec![Turn::user("?").with_image(Image::new(b"GIF8").unwrap())];
    let extras = Extras { turns, ..Extras::default() };
    let error = gateway(config).stream_with(call("x"), extras).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unable { .. }), "{error}");
    assert!(error.to_string().contains("nim/sim-model cannot look at pictures"), "{error}");
    assert!(simulator.requests().is_empty());
}

#[tokio::test]
async fn long_prompts_are_marked_for_anthropics_cache() {
    let simulator = Simulator::start(Script::always(Reply::text("x")));
    let gateway = gateway(config("anthropic", &simulator.url));
    let mut asked = call("first");
    asked.request.system = "Rules. ".repeat(1_000);
    read(gateway.stream(asked.clone()).await.unwrap()).await;
    asked
        .request
        .messages
        .extend([assist_gateway::Message::assistant("so"), assist_gateway::Message::user("then")]);
    read(gateway.stream(asked).await.unwrap()).await;
    let marked = |at: usize, place: &str| {
        !simulator.requests()[at].json().pointer(place).unwrap_or(&Value::Null).is_null()
    };
    assert!(marked(0, "/system/0/cache_control") && marked(1, "/system/0/cache_control"));
    assert!(!marked(0, "/messages/0/content/0/cache_control"), "a first question may be the only one");
    assert!(marked(1, "/messages/2/content/0/cache_control"));
    assert_eq!(simulator.requests()[1].asked.as_ref().unwrap().system, "Rules. ".repeat(1_000));
}

#[test]
fn a_turn_can_be_built_from_parts() {
    let turn = Turn::assistant("x");
    assert_eq!((turn.role, &turn.parts[..]), (Role::Assistant, &[Part::Text("x".to_owned())][..]));
    assert_eq!(ModelRef { provider: "a".into(), model: "b".into() }.to_string(), "a/b");
}
