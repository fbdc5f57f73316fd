//! What every provider must do, over real HTTP against the simulator: whole answers at any chunking, every way of
//! ending, every way of breaking. A provider is found through the registry; one without a wire format in the simulator
//! fails here until it has one.

use crate::support::{Answer, Naps, call, config, gateway, read};
use assist_gateway::{ProviderInfo, StopReason, registry};
use assist_simulator::{Ending, Failure, Inject, Place, Reply, Script, Simulator, Stop, ToolUse};

const TEXT: &str = "const grüße = \"😀 日本\";\n\t// \\ \"quoted\" \u{1F469}\u{200D}\u{1F4BB}\nexport {};\n";

/// The formats of the simulator.
fn format(info: &ProviderInfo) -> &'static str {
    match info.name {
        "anthropic" => "anthropic",
        "openai" | "openrouter" | "nim" | "openai-compatible" => "openai",
        "ollama" => "ollama",
        "gemini" => "gemini",
        other => panic!("{other} needs a wire format in the simulator"),
    }
}

async fn ask(info: &ProviderInfo, reply: Reply) -> Answer {
    let simulator = Simulator::start(Script::always(reply));
    let gateway = gateway(config(info.name, &simulator.url));
    let answer = read(gateway.stream(call("hello")).await.unwrap()).await;
    let asked = simulator.request(1).await;
    let asked = asked.asked.unwrap();
    assert_eq!((asked.system.as_str(), asked.last_user()), ("Be brief.", "hello"), "{}", info.name);
    answer
}

#[tokio::test]
async fn an_answer_is_the_same_at_any_chunking() {
    for info in registry() {
        for size in (1..=24).chain([64, 500, 1 << 20]) {
            for ascii in [false, true] {
                let reply = Reply { ascii, ..Reply::text(TEXT).reasoning("größer?").chunk_bytes(size) };
                let answer = ask(info, reply).await;
                let place = format!("{} at {size}", info.name);
                assert_eq!(answer.text, TEXT, "{place}");
                assert_eq!(answer.reasoning, "größer?", "{place}");
                assert_eq!(answer.done.stop, StopReason::End, "{place}");
                assert_eq!(answer.done.error, None, "{place}");
                assert!(answer.done.usage.output > 0 && !answer.done.usage.estimated, "{place}");
            }
        }
    }
}

#[tokio::test]
async fn every_write_of_one_byte_is_survived() {
    for info in registry() {
        let reply = Reply { write_bytes: Some(1), ..Reply::text(TEXT) };
        assert_eq!(ask(info, reply).await.text, TEXT, "{}", info.name);
    }
}

#[tokio::test]
async fn a_compressed_stream_is_the_same_also_when_it_breaks() {
    for info in registry() {
        for size in [1, 5, 1 << 20] {
            let reply = Reply { gzip: true, ..Reply::text(TEXT).chunk_bytes(size) };
            let answer = ask(info, reply.clone()).await;
            assert_eq!(
                (answer.text.as_str(), answer.done.stop),
                (TEXT, StopReason::End),
                "{} {size}",
                info.name
            );
            let broken = reply.cut(Place::Char(21), Ending::UnfinishedBody);
            let answer = ask(info, broken).await;
            assert_eq!(answer.text, TEXT.chars().take(21).collect::<String>(), "{} {size}", info.name);
            assert_eq!(answer.done.stop, StopReason::Cut, "{} {size}", info.name);
        }
    }
}

#[tokio::test]
async fn a_broken_stream_keeps_its_text_and_is_cut() {
    for info in registry() {
        for ending in [Ending::CleanEnd, Ending::UnfinishedBody] {
            for torn in [0, 1, 20, 60] {
                for size in [1, 7, 1 << 20] {
                    let reply = Reply::text(TEXT).torn(Place::Char(21), ending, torn).chunk_bytes(size);
                    let answer = ask(info, reply).await;
                    let place = format!("{} {ending:?} {torn} {size}", info.name);
                    assert_eq!(answer.text, TEXT.chars().take(21).collect::<String>(), "{place}");
                    assert_eq!(answer.done.stop, StopReason::Cut, "{place}");
                    assert_eq!(answer.done.error.is_some(), ending == Ending::UnfinishedBody, "{place}");
                    assert!(answer.done.usage.estimated && answer.done.usage.output > 0, "{place}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_reset_is_cut_and_says_so() {
    for info in registry() {
        // How much arrives before a reset is the network's affair; that what arrives is a beginning is ours.
        let simulator =
            Simulator::start(Script::always(Reply::text(TEXT).cut(Place::Char(30), Ending::Reset)));
        match gateway(config(info.name, &simulator.url)).stream(call("hello")).await {
            Ok(stream) => {
                let answer = read(stream).await;
                assert!(TEXT.starts_with(&answer.text), "{}: {:?}", info.name, answer.text);
                assert_eq!(answer.done.stop, StopReason::Cut, "{}", info.name);
                let error = answer.done.error.expect("a reset is reported");
                assert!(error.retryable(), "{}: {error}", info.name);
            }
            Err(error) => assert!(error.retryable(), "{}: {error}", info.name),
        }
    }
}

#[tokio::test]
async fn stop_reasons_are_told_apart() {
    for info in registry() {
        for (stop, expected) in [
            (Stop::End, StopReason::End),
            (Stop::Length, StopReason::Length),
            (Stop::Word("brand_new".into()), StopReason::Unknown("brand_new".into())),
        ] {
            let answer = ask(info, Reply::text("x").stop(stop.clone())).await;
            assert_eq!(answer.done.stop, expected, "{} {stop:?}", info.name);
            assert_eq!(answer.text, "x");
        }
        let answer = ask(info, Reply::text(TEXT).cut(Place::Char(9), Ending::LengthStop)).await;
        assert_eq!(answer.done.stop, StopReason::Length, "{}", info.name);
        // The final event without a reason: it does not say that all is there, so it is not.
        let answer = ask(info, Reply::text("x").stop(Stop::Missing)).await;
        assert!(!answer.done.stop.is_complete(), "{} {:?}", info.name, answer.done.stop);
        if format(info) != "ollama" {
            let answer = ask(info, Reply::text("x").stop(Stop::Filter)).await;
            assert_eq!(answer.done.stop, StopReason::Filter, "{}", info.name);
        }
    }
}

#[tokio::test]
async fn an_error_event_cuts_and_is_told() {
    for info in registry() {
        for size in [1, 1 << 20] {
            let reply = Reply::text(TEXT).mid_error(Place::Char(12), "overloaded_error", "Overloaded");
            let answer = ask(info, reply.chunk_bytes(size)).await;
            assert_eq!(answer.text, TEXT.chars().take(12).collect::<String>(), "{}", info.name);
            assert_eq!(answer.done.stop, StopReason::Cut, "{}", info.name);
            let error = answer.done.error.expect("the provider's error is told");
            assert!(error.to_string().contains("Overloaded") && error.retryable(), "{}: {error}", info.name);
        }
    }
}

#[tokio::test]
async fn what_is_not_json_in_a_stream_cuts_it() {
    for info in registry() {
        let raw = if format(info) == "ollama" { "{\"mess\n" } else { "data: {\"mess\n\n" };
        let inject = vec![Inject { at: Place::Char(12), raw: raw.to_owned() }];
        let answer = ask(info, Reply { inject, ..Reply::text(TEXT) }).await;
        assert_eq!(answer.text, TEXT.chars().take(12).collect::<String>(), "{}", info.name);
        assert_eq!(answer.done.stop, StopReason::Cut, "{}", info.name);
        assert!(answer.done.error.is_some(), "{}", info.name);
    }
}

#[tokio::test]
async fn comments_and_unknown_events_do_not_matter() {
    for info in registry().filter(|info| format(info) != "ollama") {
        let raw = ": keep-alive\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: news\ndata: {\"type\":\"news\"}\n\n";
        let inject = vec![Inject { at: Place::Char(5), raw: raw.to_owned() }];
        let answer = ask(info, Reply { inject, ..Reply::text(TEXT).chunk_bytes(3) }).await;
        assert_eq!((answer.text.as_str(), answer.done.stop), (TEXT, StopReason::End), "{}", info.name);
    }
}

#[tokio::test]
async fn usage_that_never_came_is_estimated_and_marked() {
    for info in registry() {
        let answer = ask(info, Reply { omit_usage: true, ..Reply::text(TEXT) }).await;
        assert_eq!(answer.done.stop, StopReason::End, "{}", info.name);
        let usage = answer.done.usage;
        assert!(usage.estimated && usage.input > 0 && usage.output > 0, "{}: {usage:?}", info.name);
    }
}

#[tokio::test]
async fn limits_are_waited_for_and_tried_again() {
    for info in registry() {
        for failure in
            [Failure::RateLimited(Some(7)), Failure::Overloaded, Failure::Internal, Failure::Html(503)]
        {
            let script = Script::first_then(Reply::error(failure.clone()), Reply::text("there"));
            let simulator = Simulator::start(script);
            let naps = std::sync::Arc::new(Naps::default());
            let books = std::sync::Arc::new(assist_gateway::NoBooks);
            let gateway =
                assist_gateway::Gateway::new(config(info.name, &simulator.url), books, naps.clone()).unwrap();
            let answer = read(gateway.stream(call("hello")).await.unwrap()).await;
            assert_eq!(answer.text, "there", "{} {failure:?}", info.name);
            let naps = naps.0.lock().unwrap();
            assert_eq!(naps.len(), 1, "{} {failure:?}", info.name);
            if failure == Failure::RateLimited(Some(7)) && format(info) != "ollama" {
                assert!(naps[0].as_secs_f64() >= 7.0, "{}: {naps:?}", info.name);
            }
        }
    }
}

#[tokio::test]
async fn refusals_are_one_sentence_with_the_fix() {
    for info in registry() {
        let key_fix = match info.key_var {
            Some(var) => format!("or set {var}"),
            None => format!("check {}", info.base_url_var),
        };
        for (failure, says, requests) in [
            (Failure::Unauthorized, key_fix.as_str(), 1),
            (Failure::ModelNotFound, "has no model `sim-model`: it has sim-model", 1),
            (Failure::Html(404), "did not answer as expected", 1),
            (Failure::Html(200), "a page of HTML", 1),
            (Failure::Html(403), "a page of HTML", 1),
            (Failure::Overloaded, "try again in a while or choose another provider", 3),
            (Failure::RateLimited(Some(3600)), "try again in", if format(info) == "ollama" { 3 } else { 1 }),
        ] {
            let simulator = Simulator::start(Script::always(Reply::error(failure.clone())));
            let naps = std::sync::Arc::new(Naps::default());
            let books = std::sync::Arc::new(assist_gateway::NoBooks);
            let gateway =
                assist_gateway::Gateway::new(config(info.name, &simulator.url), books, naps).unwrap();
            let error = gateway.stream(call("hello")).await.unwrap_err();
            let place = format!("{} {failure:?}: {error}", info.name);
            assert!(error.to_string().contains(says), "{place}");
            assert!(error.to_string().contains(info.name), "{place}");
            assert_eq!(simulator.requests().len(), requests, "{place}");
        }
        if format(info) != "ollama" {
            for (failure, says) in [
                (Failure::ContextTooLong, "tokens (210000 of at most"),
                (Failure::NoCredit, "no quota or credit left"),
            ] {
                let simulator = Simulator::start(Script::always(Reply::error(failure)));
                let gateway = gateway(config(info.name, &simulator.url));
                let error = gateway.stream(call("hello")).await.unwrap_err();
                assert!(error.to_string().contains(says), "{}: {error}", info.name);
                assert_eq!(simulator.requests().len(), 1, "{}", info.name);
            }
        }
    }
}

#[tokio::test]
async fn going_away_closes_the_socket() {
    for info in registry() {
        let simulator = Simulator::start(Script::always(Reply::text(TEXT).stall(Place::Char(6))));
        let mut stream = gateway(config(info.name, &simulator.url)).stream(call("hello")).await.unwrap();
        assert!(stream.next().await.is_some());
        simulator.stalled(1).await;
        drop(stream);
        simulator.disconnected().await;
    }
}

/// Reads an answer of a server that does not keep to the limit, and that waits in its middle for the client to go away.
async fn stopped(info: &ProviderInfo, reply: Reply) -> Answer {
    let simulator = Simulator::start(Script::always(reply));
    let answer = read(gateway(config(info.name, &simulator.url)).stream(call("hello")).await.unwrap()).await;
    assert_eq!(answer.done.stop, StopReason::Cut, "{}", info.name);
    let error = answer.done.error.clone().expect("it is told").to_string();
    let says = format!("{}/sim-model did not keep to the limit of 1000 tokens", info.name);
    assert!(error.starts_with(&says) && error.ends_with("choose another model."), "{error}");
    assert_eq!(answer.turn.tool_calls().count(), 0, "{}", info.name);
    simulator.disconnected().await;
    answer
}

#[tokio::test]
async fn an_answer_without_end_is_stopped_and_its_beginning_kept() {
    const MOST: usize = 256 * 1024;
    let text = "größer ".repeat(64 * 1024);
    let beginning = &text[..text.floor_char_boundary(MOST)];
    for info in registry() {
        // Many small deltas, and one that is larger than the whole answer may be.
        for size in [256, 1 << 20] {
            let reply = Reply { delta_chars: Some(size), ..Reply::text(text.as_str()) };
            let answer = stopped(info, reply.stall(Place::FromEnd(1))).await;
            assert!(answer.text == beginning, "{} {size}: {}", info.name, answer.text.len());
            assert!(answer.done.usage.estimated && answer.done.usage.output > 0, "{}", info.name);
        }
    }
}

#[tokio::test]
async fn thoughts_without_end_are_stopped() {
    for info in registry() {
        let reply = Reply { delta_chars: Some(1024), ..Reply::text("said").reasoning("hm ".repeat(100_000)) };
        let answer = stopped(info, reply.stall(Place::FromEnd(1))).await;
        assert_eq!((answer.text.as_str(), answer.reasoning.len()), ("", 256 * 1024), "{}", info.name);
    }
}

#[tokio::test]
async fn arguments_without_end_are_stopped() {
    let text = "größer ".repeat(64 * 1024);
    for info in registry() {
        // Where calls come whole, one that is larger than the whole answer may be.
        let fragments = !matches!(format(info), "gemini" | "ollama");
        let arguments = format!("{{\"text\":\"{text}{}", if fragments { "" } else { "\"}" });
        let tool = ToolUse { name: "write".into(), arguments, fragment_chars: Some(1024) };
        let reply = Reply { tools: vec![tool], ..Reply::text("I write.") };
        let answer = stopped(info, reply.stall_in_tools()).await;
        assert_eq!(answer.text, "I write.", "{}", info.name);
        assert!(answer.done.usage.estimated && answer.done.usage.output > 0, "{}", info.name);
    }
}

#[tokio::test]
async fn a_stream_without_end_that_says_nothing_is_stopped() {
    for info in registry() {
        // 17 MB: keep-alive signs, blank lines where the format has none.
        let sign = if format(info) == "ollama" { " ".repeat(1023) } else { format!(":{}", "-".repeat(1022)) };
        let raw = format!("{sign}\n").repeat(17 * 1024);
        let inject = vec![Inject { at: Place::Char(5), raw }];
        let answer = stopped(info, Reply { inject, ..Reply::text(TEXT).stall(Place::Char(6)) }).await;
        assert_eq!(answer.text, TEXT.chars().take(5).collect::<String>(), "{}", info.name);
    }
}

#[tokio::test]
async fn a_head_without_measure_is_told() {
    for info in registry() {
        let headers = (0..60).map(|n| (format!("x-filler-{n}"), "x".repeat(1_000))).collect();
        let failure = Failure::Raw { status: 200, headers, body: String::new() };
        let simulator = Simulator::start(Script::always(Reply::error(failure)));
        let naps = std::sync::Arc::new(Naps::default());
        let books = std::sync::Arc::new(assist_gateway::NoBooks);
        let gateway = assist_gateway::Gateway::new(config(info.name, &simulator.url), books, naps).unwrap();
        let error = gateway.stream(call("hello")).await.unwrap_err().to_string();
        assert!(error.contains("begins with more than any server's does"), "{}: {error}", info.name);
    }
}
