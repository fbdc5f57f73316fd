use std::time::Duration;

use assist_base::{ConversationId, MessageId, RunId, Timestamp};
use assist_store::{
    Category, Embedding, FoundMemory, Imported, Memory, MemoryChange, MemoryFilter, MemoryId, NewMemory,
    Recall, Remembered, Source, Store, StoreError,
};
use serde_json::json;

use crate::at;

fn new(category: Category, key: &str, value: &str) -> NewMemory {
    NewMemory {
        project_id: "shop".to_owned(),
        category,
        key: key.to_owned(),
        value: value.to_owned(),
        confidence: 1.0,
        source: Source::default(),
        expires_at: None,
    }
}

async fn remember(store: &Store, category: Category, key: &str, value: &str) -> Memory {
    store.memory().remember(new(category, key, value), at(0)).await.unwrap().memory().clone()
}

async fn recalled(store: &Store, query: &str) -> Vec<String> {
    let found = store.memory().recall(Recall::of(query), at(1)).await.unwrap();
    found.into_iter().map(|found| found.memory.key).collect()
}

async fn conversation(store: &Store) -> ConversationId {
    let id = ConversationId::new();
    store.conversations().create(id, "shop", "assist", None, at(0)).await.unwrap();
    id
}

#[tokio::test]
async fn a_memory_knows_where_it_came_from() {
    let store = Store::in_memory().unwrap();
    let said = conversation(&store).await;
    let source = Source {
        conversation: Some(said),
        run: Some(RunId::new()),
        note: Some("let's not do social login".to_owned()),
    };
    let memory = NewMemory {
        source: source.clone(),
        ..new(Category::Decision, "Social login", "Not now.\nToo complex.")
    };
    let Remembered::New(kept) = store.memory().remember(memory.clone(), at(5)).await.unwrap() else {
        panic!()
    };
    assert_eq!((kept.key.as_str(), kept.value.as_str()), ("Social login", "Not now.\nToo complex."));
    assert_eq!((kept.source_conversation, kept.created_at, kept.confidence), (Some(said), at(5), 1.0));
    let history = store.memory().history(kept.id).await.unwrap();
    assert_eq!((history[0].change.as_str(), &history[0].source, history[0].at), ("said", &source, at(5)));
    assert_eq!(
        store.memory().find(&kept.id.short().to_uppercase()).await.unwrap(),
        FoundMemory::One(kept.id)
    );
    assert_eq!(store.memory().find("zz").await.unwrap(), FoundMemory::None);

    let nowhere = NewMemory {
        source: Source { conversation: Some(ConversationId::new()), ..Source::default() },
        ..new(Category::Open, "x", "y")
    };
    let lost = store.memory().remember(nowhere, at(5)).await;
    assert!(matches!(lost, Err(StoreError::NotFound { what: "conversation", .. })), "{lost:?}");
    let empty = store.memory().remember(new(Category::Open, " ", "y"), at(5)).await.unwrap_err();
    assert_eq!(empty.to_string(), "A memory needs a label.");
}

#[tokio::test]
async fn what_is_said_again_is_confirmed_and_not_kept_twice() {
    let store = Store::in_memory().unwrap();
    let doubtful = NewMemory { confidence: 0.5, ..new(Category::Preference, "Speed", "Fast over correct") };
    let first = store.memory().remember(doubtful.clone(), at(0)).await.unwrap().memory().clone();
    let again = NewMemory { key: "speed".to_owned(), value: "fast, over CORRECT!".to_owned(), ..doubtful };
    let Remembered::Known(known) = store.memory().remember(again.clone(), at(9)).await.unwrap() else {
        panic!()
    };
    assert_eq!((known.id, known.value.as_str()), (first.id, "Fast over correct"));
    assert_eq!((known.confidence, known.updated_at), (0.75, at(9)));
    let changes: Vec<_> =
        store.memory().history(first.id).await.unwrap().into_iter().map(|entry| entry.change).collect();
    assert_eq!(changes, ["said", "confirmed"]);
    // Another project or category is another thing.
    let other = NewMemory { project_id: "blog".to_owned(), ..again };
    assert!(matches!(store.memory().remember(other, at(9)).await.unwrap(), Remembered::New(_)));
}

#[tokio::test]
async fn the_newer_wins_and_both_are_kept_with_their_sources() {
    let store = Store::in_memory().unwrap();
    let said = conversation(&store).await;
    let old = remember(&store, Category::Decision, "Trial length", "The trial lasts 14 days").await;
    let contradiction = NewMemory {
        source: Source { conversation: Some(said), ..Source::default() },
        ..new(Category::Decision, "Trial length", "The trial lasts 30 days")
    };
    let newer = store.memory().contradict(old.id, contradiction, at(10)).await.unwrap();
    let kept = store.memory().get(old.id).await.unwrap();
    assert_eq!((kept.confidence, kept.contradicted_by), (0.5, Some(newer.id)));
    assert_eq!(kept.value, old.value);
    let history = store.memory().history(old.id).await.unwrap();
    assert_eq!((history[1].change.as_str(), history[1].source.conversation), ("contradicted", Some(said)));

    let found = store.memory().recall(Recall::of("how long is the trial"), at(11)).await.unwrap();
    assert_eq!(found.iter().map(|found| found.memory.id).collect::<Vec<_>>(), [newer.id]);
    let both = Recall { contradicted: true, ..Recall::of("how long is the trial") };
    let found = store.memory().recall(both, at(11)).await.unwrap();
    assert_eq!(found.iter().map(|found| found.memory.id).collect::<Vec<_>>(), [newer.id, old.id]);

    // Back to the older: it is in force again, and the other has lost.
    let back = new(Category::Decision, "Trial length", "The trial lasts 14 days");
    let again = store.memory().contradict(newer.id, back, at(20)).await.unwrap();
    assert_eq!((again.id, again.contradicted_by, again.confidence), (old.id, None, 1.0));
    assert_eq!(store.memory().get(newer.id).await.unwrap().contradicted_by, Some(old.id));
    let same = new(Category::Decision, "Trial length", "The trial lasts 14 days");
    store.memory().contradict(old.id, same, at(21)).await.unwrap_err();
    assert_eq!(store.memory().get(old.id).await.unwrap(), again, "nothing was written");
}

#[tokio::test]
async fn a_changed_memory_is_found_by_its_new_words_only() {
    let store = Store::in_memory().unwrap();
    let memory =
        remember(&store, Category::Open, "Mobile conversion", "Visitors leave at the checkout").await;
    let change = MemoryChange {
        value: Some("Solved by the new wallet button".to_owned()),
        category: Some(Category::Experiment),
        confidence: Some(0.7),
        ..MemoryChange::default()
    };
    let changed = store.memory().update(memory.id, change, Source::default(), at(3)).await.unwrap();
    assert_eq!(
        (changed.category, changed.confidence, changed.key.as_str()),
        (Category::Experiment, 0.7, "Mobile conversion")
    );
    assert_eq!(recalled(&store, "wallet buttons").await, ["Mobile conversion"]);
    assert_eq!(recalled(&store, "checkout").await, [""; 0]);
    let history = store.memory().history(memory.id).await.unwrap();
    assert_eq!(history[1].before.as_deref(), Some("Visitors leave at the checkout"));
    let gone =
        store.memory().update(MemoryId::new(), MemoryChange::default(), Source::default(), at(3)).await;
    assert!(matches!(gone, Err(StoreError::NotFound { what: "memory", .. })), "{gone:?}");
}

#[tokio::test]
async fn what_is_forgotten_or_expired_is_gone() {
    let store = Store::in_memory().unwrap();
    let memory = remember(&store, Category::Context, "Audience", "Indie founders").await;
    let sale =
        NewMemory { expires_at: Some(at(100)), ..new(Category::Context, "Sale", "Half price for founders") };
    store.memory().remember(sale, at(0)).await.unwrap();
    let found = async |now| store.memory().recall(Recall::of("founders"), now).await;
    assert_eq!(found(at(99)).await.unwrap().len(), 2);
    assert_eq!(found(at(100)).await.unwrap().len(), 1);
    assert_eq!(store.memory().list(MemoryFilter::default(), at(100)).await.unwrap().len(), 1);
    let all = MemoryFilter { all: true, ..MemoryFilter::default() };
    assert_eq!(store.memory().list(all.clone(), at(100)).await.unwrap().len(), 2);
    assert_eq!(store.memory().expire(at(100)).await.unwrap(), 1);
    assert_eq!(store.memory().expire(at(100)).await.unwrap(), 0);

    assert!(store.memory().forget(memory.id).await.unwrap());
    assert!(!store.memory().forget(memory.id).await.unwrap());
    assert_eq!(found(at(1)).await.unwrap(), []);
    assert_eq!(store.memory().list(all, at(1)).await.unwrap(), []);
    assert_eq!(store.memory().history(memory.id).await.unwrap(), []);
}

#[tokio::test]
async fn duplicates_are_found_and_merged_into_one() {
    let store = Store::in_memory().unwrap();
    let said = conversation(&store).await;
    let first =
        remember(&store, Category::Decision, "Payments", "Use Stripe for all payments in the shop").await;
    let second = NewMemory {
        confidence: 0.4,
        source: Source { conversation: Some(said), ..Source::default() },
        ..new(Category::Decision, "Payments", "For all payments in the shop use Stripe please")
    };
    let second = store.memory().remember(second, at(5)).await.unwrap().memory().clone();
    remember(&store, Category::Open, "Refunds", "Who may refund a payment in the shop?").await;
    let found = store.memory().duplicates(10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].first.id, found[0].second.id), (first.id, second.id));

    store.memory().record_uses(vec![(second.id, None)], Source::default(), None, at(6)).await.unwrap();
    let merged = store.memory().merge(first.id, vec![second.id, first.id], at(7)).await.unwrap();
    assert_eq!((merged.confidence, merged.used_count, merged.created_at), (1.0, 1, at(0)));
    assert_eq!(merged.source_conversation, Some(said), "the source of the duplicate");
    assert_eq!(store.memory().get(second.id).await.unwrap().merged_into, Some(first.id));
    assert_eq!(recalled(&store, "stripe").await, ["Payments"]);
    assert_eq!(store.memory().duplicates(10).await.unwrap(), []);
    let history = store.memory().history(first.id).await.unwrap();
    assert!(history.iter().any(|entry| entry.source.conversation == Some(said) && entry.change == "said"));
    // Forgetting what was merged means all of it.
    store.memory().forget(first.id).await.unwrap();
    assert!(store.memory().get(second.id).await.is_err());
}

#[tokio::test]
async fn what_was_used_in_an_answer_is_recorded() {
    let store = Store::in_memory().unwrap();
    let memory = remember(&store, Category::Preference, "Tone", "Short sentences").await;
    let (said, run, message) = (conversation(&store).await, RunId::new(), MessageId::new());
    let answer = Source { conversation: Some(said), run: Some(run), note: None };
    store
        .memory()
        .record_uses(vec![(memory.id, Some(0.8))], answer.clone(), Some(message), at(4))
        .await
        .unwrap();
    let uses = store.memory().used_by(run).await.unwrap();
    assert_eq!(uses, store.memory().uses(memory.id).await.unwrap());
    assert_eq!((uses[0].memory, uses[0].message, uses[0].score), (memory.id, Some(message), Some(0.8)));
    let memory = store.memory().get(memory.id).await.unwrap();
    assert_eq!((memory.used_count, memory.last_used_at), (1, Some(at(4))));
    let unknown = vec![(memory.id, None), (MemoryId::new(), None)];
    store.memory().record_uses(unknown, answer, None, at(5)).await.unwrap_err();
    assert_eq!(store.memory().get(memory.id).await.unwrap().used_count, 1);
}

#[tokio::test]
async fn recall_understands_endings_parts_of_words_and_misspellings() {
    let store = Store::in_memory().unwrap();
    remember(&store, Category::Decision, "Referrals", "Double-sided reward for referring friends").await;
    remember(&store, Category::Context, "Session code", "useAuthToken in hooks/auth.ts reads the cookie")
        .await;
    remember(&store, Category::Open, "Onboarding", "The welcome mail skips the aha moment").await;
    remember(&store, Category::Context, "Sprache", "Die Oberfläche ist auf Deutsch").await;
    for (query, expected) in [
        ("What did we say about referral programs?", "Referrals"),
        ("refferal", "Referrals"),
        ("authToken", "Session code"),
        ("auth.ts", "Session code"),
        ("onbaording", "Onboarding"),
        ("WELCOMING mails", "Onboarding"),
        ("oberflache", "Sprache"),
    ] {
        assert_eq!(recalled(&store, query).await.first().map(String::as_str), Some(expected), "{query}");
    }
    for nothing in ["", "\"", "AND OR NOT", "kubernetes", "* : ^ ( )", "\0"] {
        let found = store.memory().recall(Recall::of(nothing), at(1)).await.unwrap();
        assert_eq!(found, [], "{nothing:?}");
    }
}

#[tokio::test]
async fn recall_is_narrowed_by_project_category_age_and_confidence() {
    let store = Store::in_memory().unwrap();
    let day = |days: i64| Timestamp(at(0).0 + days * 86_400_000);
    for (n, (project, category, confidence)) in [
        ("shop", Category::Decision, 1.0),
        ("shop", Category::Open, 0.3),
        ("blog", Category::Decision, 1.0),
        ("shop", Category::Decision, 0.6),
    ]
    .into_iter()
    .enumerate()
    {
        let memory = NewMemory {
            project_id: project.to_owned(),
            confidence,
            ..new(category, &format!("checkout {n}"), "the checkout page")
        };
        store.memory().remember(memory, day(n as i64 * 100)).await.unwrap();
    }
    let all = Recall::of("checkout");
    let keys = async |recall: Recall| {
        let found = store.memory().recall(recall, day(300)).await.unwrap();
        found
            .iter()
            .map(|found| found.memory.key.clone())
            .collect::<Vec<_>>()
            .join(" ")
            .replace("checkout ", "")
    };
    // Equal words: the sure before the doubtful, the recent before the old.
    assert_eq!(keys(all.clone()).await, "2 0 3 1");
    assert_eq!(keys(Recall { project: Some("shop".into()), ..all.clone() }).await, "0 3 1");
    assert_eq!(
        keys(Recall { categories: vec![Category::Open, Category::Context], ..all.clone() }).await,
        "1"
    );
    assert_eq!(keys(Recall { since: Some(day(150)), ..all.clone() }).await, "2 3");
    assert_eq!(keys(Recall { min_confidence: 0.5, ..all.clone() }).await, "2 0 3");
    assert_eq!(keys(Recall { limit: 1, ..all }).await, "2");
}

/// More memories fit the words than are ranked at first, and the wanted ones come last.
#[tokio::test]
async fn filters_reach_behind_the_first_candidates() {
    let store = Store::in_memory().unwrap();
    for n in 0..450 {
        remember(&store, Category::Context, &format!("deploy {n}"), "deploy").await;
    }
    remember(
        &store,
        Category::Decision,
        "Release",
        "long words before we ever mention that we deploy on Fridays",
    )
    .await;
    let wanted = Recall { categories: vec![Category::Decision], ..Recall::of("deploy") };
    let found = store.memory().recall(wanted, at(1)).await.unwrap();
    assert_eq!(found.iter().map(|found| found.memory.key.as_str()).collect::<Vec<_>>(), ["Release"]);
}

#[tokio::test]
async fn vectors_help_where_there_are_any_and_never_hurt_where_there_are_none() {
    let store = Store::in_memory().unwrap();
    let cheap = remember(&store, Category::Decision, "Pricing", "Nine dollars a month").await;
    let other = remember(&store, Category::Decision, "Colours", "Blue buttons").await;
    let embedding = |values: &[f32]| Embedding { model: "m".to_owned(), values: values.to_vec() };
    let ask = async |embedding| {
        let recall = Recall { embedding, ..Recall::of("what does it cost") };
        let found = store.memory().recall(recall, at(1)).await.unwrap();
        found.iter().map(|found| found.memory.id).collect::<Vec<_>>()
    };
    assert_eq!(ask(Some(embedding(&[1.0, 0.0, 0.0]))).await, []);
    let waiting = store.vectors().waiting_memories("m", 10).await.unwrap();
    assert_eq!(waiting[1].text, "Pricing: Nine dollars a month");
    let vectors = vec![(waiting[1].number, vec![0.9, 0.1, 0.0]), (waiting[0].number, vec![-0.5, 0.9, 0.0])];
    store.vectors().keep_memories("m", vectors).await.unwrap();
    assert_eq!(store.vectors().waiting_memories("m", 10).await.unwrap(), []);
    assert_eq!(ask(Some(embedding(&[1.0, 0.0, 0.0]))).await, [cheap.id]);
    assert_eq!(ask(None).await, []);
    // Another model, another length, not a number: as if there were none.
    assert_eq!(ask(Some(Embedding { model: "n".to_owned(), ..embedding(&[1.0, 0.0, 0.0]) })).await, []);
    for odd in [&[1.0][..], &[], &[f32::NAN, 0.0, 0.0]] {
        assert_eq!(ask(Some(embedding(odd))).await, []);
    }
    for wrong in [vec![1.0], vec![], vec![f32::INFINITY, 0.0, 0.0]] {
        let refused = store.vectors().keep_memory(other.id, embedding(&wrong)).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
    // The words changed: the vector is not theirs any more.
    let change = MemoryChange { value: Some("Ten dollars".to_owned()), ..MemoryChange::default() };
    store.memory().update(cheap.id, change, Source::default(), at(2)).await.unwrap();
    assert_eq!(store.vectors().waiting_memories("m", 10).await.unwrap().len(), 1);
    assert_eq!(ask(Some(embedding(&[1.0, 0.0, 0.0]))).await, []);
    store.vectors().forget_other_models("n").await.unwrap();
    assert_eq!(store.vectors().waiting_memories("m", 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn memory_goes_through_json_and_markdown_and_comes_back() {
    let store = Store::in_memory().unwrap();
    let tricky = "## not a heading\n\n- not a property\n> quoted\n  indented\t\"x\" – ’s\n```\ncode\n```";
    let old = remember(&store, Category::Decision, "Login # one", tricky).await;
    store.memory().contradict(old.id, new(Category::Decision, "Login", "Use passkeys"), at(2)).await.unwrap();
    let sale = NewMemory {
        expires_at: Some(at(9_000)),
        confidence: 0.25,
        ..new(Category::Open, "Sale: ends?", "*soon*")
    };
    store.memory().remember(sale, at(3)).await.unwrap();
    let all = MemoryFilter { all: true, ..MemoryFilter::default() };
    let before = store.memory().list(all.clone(), at(4)).await.unwrap();

    let document = store.memory().export_json(all.clone(), at(4)).await.unwrap();
    assert_eq!(document["memories"][0]["sources"][1]["change"], "contradicted");
    let page = store.memory().export_markdown(all.clone(), at(4)).await.unwrap();
    for markdown in [false, true] {
        let copy = Store::in_memory().unwrap();
        let import = async || match markdown {
            true => copy.memory().import_markdown(&page, "x", at(50)).await.unwrap(),
            false => copy.memory().import_json(document.clone(), "x", at(50)).await.unwrap(),
        };
        assert_eq!(import().await, Imported { new: 3, ..Imported::default() });
        let mut after = copy.memory().list(all.clone(), at(4)).await.unwrap();
        let mut before = before.clone();
        before.sort_by_key(|memory| memory.id);
        after.sort_by_key(|memory| memory.id);
        assert_eq!(after, before, "markdown: {markdown}");
        assert_eq!(import().await, Imported { kept: 3, ..Imported::default() });
    }
}

#[tokio::test]
async fn a_page_written_by_hand_is_read() {
    let store = Store::in_memory().unwrap();
    let page = "# Notes\n\n## Decisions\n- Stack: Rust and SQLite\n* **Hosting**: our own machines\n\n## Open questions\n\
        - who answers support mails on weekends and holidays\n";
    let imported = store.memory().import_markdown(page, "shop", at(0)).await;
    assert_eq!(imported.unwrap(), Imported { new: 3, ..Imported::default() });
    assert_eq!(recalled(&store, "sqlite").await, ["Stack"]);
    assert_eq!(recalled(&store, "machines").await, ["Hosting"]);
    assert_eq!(recalled(&store, "weekends").await, ["who answers support mails on weekends"]);
    let again = store.memory().import_markdown(page, "shop", at(1)).await.unwrap();
    assert_eq!(again, Imported { confirmed: 3, ..Imported::default() });

    for (wrong, named) in [
        ("- Stack: Rust", "Line 1"),
        ("## Recipes\n- a: b", "Line 1: `recipe` is not a category"),
        ("## open\nprose", "Line 2"),
        ("## open\n### x\n> y\n- confidence: much", "Line 4"),
        ("## open\n### x\n> y\n- expires: someday", "`someday` is not a date"),
        ("## open\n### x\n", "A memory needs a content"),
    ] {
        let refused = store.memory().import_markdown(wrong, "shop", at(2)).await.unwrap_err();
        assert!(refused.to_string().contains(named), "{wrong}: {refused}");
    }
    for wrong in [
        json!({}),
        json!([]),
        json!({"version": 1, "memories": [{"category": "open"}]}),
        json!({"version": 2}),
    ] {
        let refused = store.memory().import_json(wrong, "shop", at(2)).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
    assert_eq!(store.memory().list(MemoryFilter::default(), at(2)).await.unwrap().len(), 3);
}

#[tokio::test]
async fn memory_outlives_the_process_and_the_compaction_of_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let first = remember(&store, Category::Context, "First", "gone soon").await;
    remember(&store, Category::Context, "Second", "stays for long").await;
    store.memory().forget(first.id).await.unwrap();
    store.close().await;
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(recalled(&store, "stays").await, ["Second"]);
    assert_eq!(at(0).plus(Duration::from_millis(1)), at(1));
    store.check().await.unwrap();
}

/// Words that stand in most rows are left out beside rarer ones, and asked for when the rarer ones are not enough.
#[tokio::test]
async fn common_words_find_what_rarer_ones_do_not() {
    let store = Store::in_memory().unwrap();
    let memory = |n: usize| {
        let project = if n < 4_200 { "shop" } else { "blog" };
        let value = if n % 1_000 == 7 { "the checkout page for giraffes" } else { "the checkout page" };
        json!({
            "id": format!("00000000-0000-4000-8000-{n:012x}"),
            "project_id": project,
            "category": "context",
            "key": format!("number {n}"),
            "value": value,
        })
    };
    let document = json!({ "version": 1, "memories": (0..4_202).map(memory).collect::<Vec<_>>() });
    store.memory().import_json(document, "shop", at(0)).await.unwrap();
    let ask = async |project: Option<&str>| {
        let recall = Recall { project: project.map(str::to_owned), ..Recall::of("giraffes at the checkout") };
        let found = store.memory().recall(recall, at(1)).await.unwrap();
        found.into_iter().map(|found| found.memory.key).collect::<Vec<_>>()
    };
    let found = ask(None).await;
    assert_eq!(found.len(), 10);
    let mut first = found[..5].to_vec();
    first.sort();
    assert_eq!(first, ["number 1007", "number 2007", "number 3007", "number 4007", "number 7"]);
    assert_eq!(ask(Some("blog")).await.len(), 2);
}
