//! Embeddings over real HTTP, in both formats, and what is said when there are none.

use std::time::Duration;

use std::sync::Arc;

use assist_base::{RunId, Secret, SystemClock};
use assist_gateway::{Budgets, Gateway, GatewayConfig, GatewayError, MemoryBooks, Payer};
use assist_simulator::{Script, Simulator};

use crate::support::{KEY, gateway};

const PATIENCE: Duration = Duration::from_secs(180);

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn payer() -> Payer {
    Payer { run: RunId::new(), agent: "recall".to_owned(), usd_per_million: None }
}

#[tokio::test]
async fn both_formats_give_one_vector_for_each_text_in_its_order() {
    let script = Script { alike: vec![vec!["login".to_owned(), "signin".to_owned()]], ..Script::default() };
    let simulator = Simulator::start(script);
    let gateway = gateway(GatewayConfig::default());
    for url in ["/v1", "", "/v1/embeddings", "/api", "/api/embed/"] {
        let url = format!("{}{url}", simulator.url);
        let key = Some(Secret::new(KEY));
        let embedder = gateway.embedder(&url, "small", key).unwrap();
        let found =
            embedder.embed(&payer(), texts(&["login page", "signin page", "größe"]), PATIENCE).await.unwrap();
        assert_eq!(found.len(), 3, "{url}");
        assert_eq!(found[0], found[1], "{url}");
        assert_ne!(found[0], found[2], "{url}");
        assert_eq!(embedder.embed(&payer(), Vec::new(), PATIENCE).await.unwrap().len(), 0);
    }
    let paths: Vec<String> = simulator.all_requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths[..3], ["/v1/embeddings"; 3].map(str::to_owned));
    assert_eq!(paths[3..], ["/api/embed"; 2].map(str::to_owned));
    assert_eq!(simulator.problems(), [] as [String; 0]);
}

#[tokio::test]
async fn what_keeps_it_from_answering_is_one_sentence_without_the_key() {
    let simulator = Simulator::start(Script { keys: vec!["another".to_owned()], ..Script::default() });
    let gateway = gateway(GatewayConfig::default());
    let embedder = gateway.embedder(&simulator.url, "small", Some(Secret::new(KEY))).unwrap();
    let error = embedder.embed(&payer(), texts(&["x"]), PATIENCE).await.unwrap_err();
    assert!(matches!(error, GatewayError::Auth { .. }), "{error}");
    assert!(error.to_string().contains("ASSIST_EMBEDDINGS_KEY"), "{error}");
    assert!(!format!("{error:?}{embedder:?}").contains(KEY));

    let nobody = gateway.embedder("http://127.0.0.1:1", "small", None).unwrap();
    let error = nobody.embed(&payer(), texts(&["x"]), PATIENCE).await.unwrap_err();
    assert!(matches!(error, GatewayError::Network { .. }), "{error}");
    assert!(gateway.embedder("ftp://x", "small", None).is_err());
}

#[tokio::test]
async fn what_they_take_is_in_the_books_and_a_budget_holds_them() {
    let simulator = Simulator::start(Script::default());
    let clock = SystemClock::shared();
    let books = Arc::new(MemoryBooks::new(Arc::clone(&clock)));
    let gateway =
        Gateway::new(GatewayConfig::default(), Arc::clone(&books) as _, Arc::clone(&clock)).unwrap();
    let embedder = gateway.embedder(&simulator.url, "small", Some(Secret::new(KEY))).unwrap();
    let payer = payer();
    embedder.embed(&payer, texts(&["one two", "three"]), PATIENCE).await.unwrap();
    let entries = books.entries();
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!((entry.estimate.run, entry.estimate.agent.as_str()), (payer.run, "recall"));
    assert_eq!((entry.estimate.provider.as_str(), entry.estimate.model.as_str()), ("embeddings", "small"));
    let settled = entry.settlement.as_ref().unwrap();
    assert_eq!((settled.usage.input, settled.usage.estimated, settled.cost_usd), (3, false, Some(0.0)));

    // Elsewhere it costs what the user says it does; beyond the budget it is not made.
    let budgets = Budgets { run_usd: Some(0.000_001), ..Budgets::default() };
    let config = GatewayConfig { budgets, ..GatewayConfig::default() };
    let gateway = Gateway::new(config, Arc::clone(&books) as _, clock).unwrap();
    let far = gateway.embedder("https://embeddings.invalid", "small", None).unwrap();
    let payer = Payer { usd_per_million: Some(1.0), ..payer };
    let error = far.embed(&payer, texts(&["a b c d e f g h"]), PATIENCE).await.unwrap_err();
    assert!(matches!(error, GatewayError::Budget { .. }), "{error}");
}
