//! What is recorded can be replayed, in another run with other ids, and holds no secrets.

use std::sync::Arc;

use crate::support::{KEY, call, config, gateway, read};
use assist_base::SystemClock;
use assist_gateway::{
    Entry, Extras, Gateway, GatewayConfig, GatewayError, Message, NoBooks, Tool, ToolResult, Transcript, Turn,
};
use assist_simulator::{Ending, Place, Reply, Rule, Script, Simulator};
use serde_json::Value;

fn recording(simulator: &Simulator, path: &std::path::Path) -> Gateway {
    let mut config = config("anthropic", &simulator.url);
    config.record = Some(path.to_owned());
    gateway(config)
}

fn replaying(path: &std::path::Path) -> Gateway {
    let transcript = Transcript::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let config = GatewayConfig { replay: Some(transcript), ..GatewayConfig::default() };
    Gateway::new(config, Arc::new(NoBooks), SystemClock::shared()).unwrap()
}

#[tokio::test]
async fn a_recording_plays_in_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let tools = vec![Tool { name: "now".into(), description: String::new(), parameters: Value::Null }];
    let script = Script::new([
        Rule::asked("continue", Reply::text("the end")).times(1),
        Rule::asked("noon", Reply::text("Lunch.")),
        Rule::asked("time", Reply::text("I look.").reasoning("hm").tool("now", "{\"zone\":\"utc\"}")),
        Rule::asked(
            "Hero",
            Reply::text("/// COMPONENT_START: Hero id=run-one-id ///\ncöde")
                .cut(Place::FromEnd(1), Ending::LengthStop),
        ),
    ]);
    let simulator = Simulator::start(script);
    let mut texts = Vec::new();
    let mut run = async |gateway: Gateway, id: &str| {
        let ask = |text: &str| {
            let mut call = call(text);
            call.request.system = format!("Use the marker id={id} on every line.");
            call
        };
        let hero = read(gateway.stream(ask("write Hero")).await.unwrap()).await;
        let mut more = ask("continue");
        more.request.messages.insert(0, Message::user("write Hero"));
        more.request.messages.insert(1, Message::assistant(&hero.text));
        let end = read(gateway.stream(more).await.unwrap()).await;
        let extras = Extras { tools: tools.clone(), ..Extras::default() };
        let looks = read(gateway.stream_with(ask("what time is it?"), extras.clone()).await.unwrap()).await;
        let called = looks.turn.tool_calls().next().unwrap().clone();
        let result = ToolResult { id: called.id, name: called.name, content: "noon".into(), failed: false };
        let extras = Extras { turns: vec![looks.turn.clone(), Turn::results([result])], ..extras };
        let lunch = read(gateway.stream_with(ask("what time is it?"), extras).await.unwrap()).await;
        let said = |answer: &crate::support::Answer| {
            let stop = answer.done.stop.as_str().to_owned();
            let calls: Vec<_> =
                answer.turn.tool_calls().map(|call| (call.name.clone(), call.arguments.clone())).collect();
            (answer.text.replace(id, "ID"), answer.reasoning.clone(), stop, calls)
        };
        texts.push([said(&hero), said(&end), said(&looks), said(&lunch)]);
    };
    run(recording(&simulator, &path), "run-one-id").await;
    run(replaying(&path), "another-id-2").await;
    assert!(texts[0][0].0.contains("id=ID") && texts[0][0].2 == "length", "{texts:?}");
    assert_eq!(texts[0], texts[1]);
    assert_eq!(simulator.requests().len(), 4, "a replay asks nobody");
}

#[tokio::test]
async fn the_same_words_early_and_late_are_told_apart_and_files_are_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let script = Script::new([
        Rule::always(Reply::text("first")).times(1),
        Rule::always(Reply::text("second")).times(1),
        Rule::always(Reply::text("third")),
    ]);
    let simulator = Simulator::start(script);
    let early = call("go on");
    let mut late = call("go on");
    late.request.messages.insert(0, Message::user("x"));
    late.request.messages.insert(1, Message::assistant("y"));
    read(recording(&simulator, &path).stream(early.clone()).await.unwrap()).await;
    read(recording(&simulator, &path).stream(late.clone()).await.unwrap()).await;
    read(recording(&simulator, &path).stream(call("something else")).await.unwrap()).await;
    let replay = replaying(&path);
    for (call, text) in [(late, "second"), (early, "first"), (call("something else"), "third")] {
        assert_eq!(read(replay.stream(call).await.unwrap()).await.text, text);
    }
    assert_eq!(replay.stream(call("never asked")).await.unwrap_err(), GatewayError::NotRecorded);
}

#[tokio::test]
async fn a_recording_holds_no_secrets_and_still_plays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let other = "ghp_0123456789abcdefghijABCDEFGHIJ0123";
    let said = format!("deploy with {KEY} and {other}, please");
    let answer = format!("export KEY={KEY} # and {other}");
    let simulator = Simulator::start(Script::always(Reply::text(&answer).reasoning(format!("it is {KEY}"))));
    assert_eq!(read(recording(&simulator, &path).stream(call(&said)).await.unwrap()).await.text, answer);
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(!written.contains(KEY) && !written.contains(other), "{written}");
    assert!(written.contains("export KEY=[secret removed]"), "{written}");
    let replayed = read(replaying(&path).stream(call(&said)).await.unwrap()).await;
    assert_eq!(replayed.text, "export KEY=[secret removed] # and [secret removed]");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["run.json"], "no temporary file is left");
}

#[test]
fn what_is_no_transcript_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "my notes").unwrap();
    let config = GatewayConfig { record: Some(path.clone()), ..GatewayConfig::default() };
    let error = Gateway::new(config, Arc::new(NoBooks), SystemClock::shared()).unwrap_err();
    assert!(error.to_string().contains("Choose another file"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes");
    let nowhere = folder.path().join("no-such-folder/run.json");
    let config = GatewayConfig { record: Some(nowhere), ..GatewayConfig::default() };
    assert!(Gateway::new(config, Arc::new(NoBooks), SystemClock::shared()).is_err());
    assert_eq!(Entry::default().matches, Vec::<String>::new());
}
