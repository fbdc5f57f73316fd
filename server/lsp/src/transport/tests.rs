use proptest::prelude::*;
use serde_json::json;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tower_lsp::ls_types::{
    CodeActionParams, CodeActionResponse, ExecuteCommandParams, InitializeParams, InitializeResult,
};

use super::*;

/// A server whose commands misbehave as their names say.
#[derive(Default)]
struct Odd {
    held: Arc<tokio::sync::Notify>,
}

impl LanguageServer for Odd {
    async fn initialize(&self, _: InitializeParams) -> tower_lsp::jsonrpc::Result<InitializeResult> {
        Ok(InitializeResult::default())
    }

    async fn shutdown(&self) -> tower_lsp::jsonrpc::Result<()> {
        Ok(())
    }

    async fn execute_command(
        &self,
        params: ExecuteCommandParams,
    ) -> tower_lsp::jsonrpc::Result<Option<Value>> {
        match params.command.as_str() {
            "panic" => panic!("on purpose"),
            "wait" => self.held.notified().await,
            "never" => futures::future::pending().await,
            _ => {}
        }
        let document = captured().document;
        Ok(Some(
            json!({ "text": document.as_ref().map(Snapshot::text), "version": document.map(|d| d.version) }),
        ))
    }

    async fn code_action(
        &self,
        _: CodeActionParams,
    ) -> tower_lsp::jsonrpc::Result<Option<CodeActionResponse>> {
        Ok(None)
    }
}

/// A client that speaks raw JSON.
struct Client {
    input: DuplexStream,
    output: FrameReader<DuplexStream>,
    ended: tokio::task::JoinHandle<Ended>,
    documents: Arc<Documents>,
    held: Arc<tokio::sync::Notify>,
}

impl Client {
    fn fresh() -> Self {
        let (input, far_input) = tokio::io::duplex(1 << 20);
        let (far_output, output) = tokio::io::duplex(1 << 20);
        let documents = Arc::new(Documents::default());
        let odd = Odd::default();
        let held = Arc::clone(&odd.held);
        let (service, socket) = LspService::new(|_| odd);
        let outbox = Outbox::new();
        let transport = Transport::new(service, Arc::clone(&documents), outbox.clone());
        let ended = tokio::spawn(async move {
            let writer = tokio::spawn(outbox.clone().write(far_output));
            let ended = transport.run(far_input, socket).await;
            outbox.finish();
            writer.await.unwrap();
            ended
        });
        Self { input, output: FrameReader::new(output), ended, documents, held }
    }

    async fn ready() -> Self {
        let mut client = Self::fresh();
        assert!(client.ask(0, "initialize", json!({ "capabilities": {} })).await["result"].is_object());
        client.send(json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} })).await;
        client
    }

    async fn raw(&mut self, body: &str) {
        let framed = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.input.write_all(framed.as_bytes()).await.unwrap();
    }

    async fn send(&mut self, message: Value) {
        self.raw(&message.to_string()).await;
    }

    async fn request(&mut self, id: i64, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
    }

    async fn notify(&mut self, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "method": method, "params": params })).await;
    }

    async fn command(&mut self, id: i64, name: &str) {
        let arguments = json!([{ "uri": "file:///w/a.ts" }]);
        self.request(id, "workspace/executeCommand", json!({ "command": name, "arguments": arguments }))
            .await;
    }

    async fn next(&mut self) -> Value {
        match self.output.next().await.unwrap() {
            Some(Frame::Body(body)) => serde_json::from_slice(&body).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&mut self, id: i64, method: &str, params: Value) -> Value {
        self.request(id, method, params).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], id);
        answer
    }

    async fn end(mut self) -> Ended {
        self.input.shutdown().await.unwrap();
        drop(self.input);
        self.ended.await.unwrap()
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_and_survived() {
    let mut client = Client::ready().await;
    for (body, code) in [("{", -32700), ("[]", -32600), ("{\"id\":{}}", -32600)] {
        client.raw(body).await;
        assert_eq!(client.next().await["error"]["code"], code, "{body}");
    }
    client.input.write_all(b"Content-Length: -5\r\n\r\n").await.unwrap();
    assert_eq!(client.next().await["error"]["code"], -32600);
    assert_eq!(client.ask(5, "no/such", json!({})).await["error"]["code"], -32601);
    assert_eq!(client.ask(6, "$/such", json!({})).await["error"]["code"], -32601);
    assert_eq!(client.ask(7, "textDocument/codeAction", json!({ "odd": 1 })).await["error"]["code"], -32602);
}

#[tokio::test]
async fn requests_have_their_time() {
    let mut client = Client::fresh();
    client
        .notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": "file:///w/a.ts", "version": 1, "text": "" } }),
        )
        .await;
    assert_eq!(client.ask(1, "workspace/executeCommand", json!({})).await["error"]["code"], -32002);
    assert_eq!(client.ask(2, "no/such", json!({})).await["error"]["code"], -32002);
    assert!(client.documents.get("file:///w/a.ts").is_none(), "nothing is open before the handshake");
    client.ask(3, "initialize", json!({ "capabilities": {} })).await;
    assert_eq!(client.ask(4, "initialize", json!({ "capabilities": {} })).await["error"]["code"], -32600);
    assert!(client.ask(5, "shutdown", Value::Null).await["result"].is_null());
    assert_eq!(client.ask(6, "workspace/executeCommand", json!({})).await["error"]["code"], -32600);
    client.notify("exit", Value::Null).await;
    assert_eq!(client.ended.await.unwrap(), Ended::Orderly);
}

#[tokio::test]
async fn only_shutdown_and_exit_are_an_orderly_end() {
    assert_eq!(Client::ready().await.end().await, Ended::Abrupt);
    let mut client = Client::ready().await;
    client.notify("exit", Value::Null).await;
    assert_eq!(client.ended.await.unwrap(), Ended::Abrupt);
    let mut client = Client::ready().await;
    client.ask(1, "shutdown", Value::Null).await;
    assert_eq!(client.end().await, Ended::Abrupt);
}

#[tokio::test]
async fn a_panic_ends_its_request_only() {
    let mut client = Client::ready().await;
    for _ in 0..2 {
        // The same id again: the service has forgotten the request that panicked.
        client.command(9, "panic").await;
        let answer = client.next().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(9), &json!(-32603)));
    }
    assert!(client.ask(10, "textDocument/codeAction", code_action()).await["result"].is_null());
}

fn code_action() -> Value {
    let zero = json!({ "line": 0, "character": 0 });
    json!({ "textDocument": { "uri": "file:///w/[id].ts" }, "range": { "start": zero, "end": zero }, "context": { "diagnostics": [] } })
}

#[tokio::test]
async fn busy_requests_block_neither_others_nor_their_own_cancelling() {
    let mut client = Client::ready().await;
    for id in 1..=20 {
        client.command(id, "never").await;
    }
    assert!(client.ask(100, "textDocument/codeAction", code_action()).await["result"].is_null());
    for id in 1..=20 {
        client.notify("$/cancelRequest", json!({ "id": id })).await;
        let answer = client.next().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32800)));
    }
}

#[tokio::test]
async fn a_request_sees_the_document_as_it_was_when_it_was_read() {
    let mut client = Client::ready().await;
    client
        .notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": "file:///w/a.ts", "version": 1, "text": "one" } }),
        )
        .await;
    client.command(1, "wait").await;
    client
        .notify("textDocument/didChange", json!({ "textDocument": { "uri": "file:///w/a.ts", "version": 2 }, "contentChanges": [{ "text": "two" }] }))
        .await;
    client.command(2, "now").await;
    let answer = client.next().await;
    assert_eq!((&answer["id"], &answer["result"]["text"]), (&json!(2), &json!("two")));
    client.held.notify_one();
    let answer = client.next().await;
    assert_eq!((&answer["id"], &answer["result"]["text"]), (&json!(1), &json!("one")));
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": "file:///w/a.ts" } })).await;
    client.command(3, "now").await;
    assert!(client.next().await["result"]["text"].is_null());
}

#[tokio::test]
async fn notifications_that_make_no_sense_change_nothing() {
    let mut client = Client::ready().await;
    client
        .notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": "file:///w/a.ts", "version": 1, "text": "one" } }),
        )
        .await;
    for params in [
        json!({}),
        json!([]),
        json!({ "textDocument": { "uri": "file:///w/a.ts" }, "contentChanges": 1 }),
        json!({ "textDocument": { "uri": "nothing" }, "contentChanges": [] }),
    ] {
        client.notify("textDocument/didChange", params).await;
    }
    client.command(1, "now").await;
    assert_eq!(client.next().await["result"]["text"], "one");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_a_client_sends_stops_the_server(parts in proptest::collection::vec(
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "\\PC{0,30}".prop_map(|body| format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()),
            prop_oneof![
                Just(json!({ "id": 1, "method": "initialize", "params": { "capabilities": {} } })),
                Just(json!({ "method": "textDocument/didOpen", "params": { "textDocument": { "uri": "file:///a", "version": -1, "text": "x" } } })),
                Just(json!({ "method": "textDocument/didChange", "params": { "textDocument": { "uri": "file:///a" }, "contentChanges": [{ "range": { "start": { "line": 4294967295u32, "character": 1 }, "end": { "line": 0, "character": 0 } }, "text": "" }] } })),
                Just(json!({ "id": 2, "method": "workspace/executeCommand", "params": { "command": "panic" } })),
                Just(json!({ "id": null, "result": 1 })),
            ].prop_map(|message| { let body = message.to_string(); format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes() }),
        ], 0..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut client = Client::fresh();
            let Client { input, output, .. } = &mut client;
            for part in parts {
                input.write_all(&part).await.unwrap();
            }
            // After any of it, a whole message is understood: at most the header search swallows one before.
            for id in [98, 99] {
                let body = json!({ "id": id, "method": "no/such" }).to_string();
                input.write_all(format!("\r\n\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
            }
            let mut answered = false;
            while !answered && let Some(Frame::Body(body)) = output.next().await.unwrap() {
                answered = serde_json::from_slice::<Value>(&body).unwrap()["id"] == 99;
            }
            assert!(answered);
            assert_eq!(client.end().await, Ended::Abrupt);
        });
    }
}
