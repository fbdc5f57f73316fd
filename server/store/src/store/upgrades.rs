//! Databases of every schema version that was ever shipped, with rows as that version wrote them, are brought to the
//! present one and lose nothing.

use std::path::Path;

use assist_base::{ConversationId, DocPath, RunId, RunState, Timestamp};
use rusqlite::Connection;

use crate::schema::{self, VERSION};
use crate::{Category, DocumentFilter, MemoryFilter, Mode, PastFilter, Recall, Retention, Store, TaskStatus};

const RUN: &str = "11111111-1111-4111-8111-111111111111";
const TALK: &str = "22222222-2222-4222-8222-222222222222";
const MEMORY: &str = "33333333-3333-4333-8333-333333333333";
const DOCUMENT: &str = "44444444-4444-4444-8444-444444444444";
const TASK: &str = "55555555-5555-4555-8555-555555555555";
const SET: &str = "66666666-6666-4666-8666-666666666666";

/// What a version added to the rows before it. Never edited once the version is shipped: it is how that version wrote.
const ROWS: [&str; 7] = [
    "INSERT INTO advisor_conversations VALUES
        ('{TALK}', 'shop', 'assist', 'Signups', '{\"branch\":\"main\"}', 'tasked', 1000, 2000);
    INSERT INTO agent_sessions VALUES
        ('{RUN}', 'shop', 'code', 'web', 'apps/web', 'Add a referral program', '{\"steps\":[]}', 'done', NULL, 1100,
            1900, 1050, 1900, 'ask', NULL, 'Referrals are live', '{TALK}', 'Neovim');
    INSERT INTO conversation_sessions VALUES ('{TALK}', '{RUN}');
    INSERT INTO messages VALUES
        ('77777777-7777-4777-8777-777777777777', '{TALK}', '{RUN}', 1, 'user', 'I want more signups', 0, 1000, 1000),
        ('88888888-8888-4888-8888-888888888888', '{TALK}', '{RUN}', 2, 'assistant', 'A referral reward helps', 1, 1200, 1300),
        ('99999999-9999-4999-8999-999999999999', '{TALK}', NULL, 3, 'system', 'signups signups', 0, 1200, 1300);
    INSERT INTO events (run_id, seq, v, ts, type, data) VALUES
        ('{RUN}', 1, 1, 1100, 'status', '{\"state\":\"running\"}'), ('{RUN}', 2, 1, 1200, 'text', '{\"text\":\"A\"}');
    INSERT INTO checkpoints (run_id, stage, component, data, created_at) VALUES ('{RUN}', 'asked', NULL, '{}', 1100);
    INSERT INTO blobs VALUES ('{OLD}', 3, 'raw', x'6f6c64');
    INSERT INTO snapshots (run_id, change_set_id, path, before_hash, after_hash, applied, created_at) VALUES
        ('{RUN}', 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'src/a.ts', '{OLD}', NULL, 1, 1500);
    INSERT INTO changed_files VALUES ('{RUN}', 'src/a.ts', 'deleted', 1500);
    INSERT INTO leases VALUES ('run:{RUN}', 7, 'boot', 'start', 'Neovim', 1000, 1100);
    INSERT INTO ledger (run_id, agent, model, tier, reserved_tokens, reserved_usd, input_tokens, output_tokens,
            cache_read_tokens, cache_write_tokens, cost_usd, estimated, created_at, settled_at) VALUES
        ('{RUN}', 'builder', 'p/m', 'B', 100, 0.5, 10, 20, 0, 0, 0.25, 0, 1200, 1300);",
    "INSERT INTO advisor_memory (id, project_id, category, key, value, confidence, source_conversation_id, created_at,
            updated_at) VALUES
        ('{MEMORY}', 'shop', 'decision', 'Social login', 'Not now: too complex', 0.75, '{TALK}', 1000, 2000);
    INSERT INTO memory_sources (memory_id, change, conversation_id, note, at) VALUES
        ('{MEMORY}', 'said', '{TALK}', 'no social login', 1000);
    INSERT INTO memory_uses (memory_id, conversation_id, run_id, score, at) VALUES
        ('{MEMORY}', '{TALK}', '{RUN}', 0.5, 2000);
    INSERT INTO vector_models (name, dimensions) VALUES ('m', 2);
    INSERT INTO vectors (model, kind, subject, data) VALUES (1, 'memory', 1, x'7f00');",
    "INSERT INTO tasks (id, run_id, position, title, description, agent, tier, status, input, created_at, updated_at)
        VALUES ('{TASK}', '{RUN}', 1, 'Rewards', 'both sides', 'engineer', 'B', 'done', '{}', 1000, 1000);
    INSERT INTO documents (id, project_id, run_id, doc_type, created_at, updated_at) VALUES
        ('{DOCUMENT}', 'shop', '{RUN}', 'product_requirements', 1000, 1000);
    INSERT INTO document_versions (document_id, version, title, status, created_by, run_id, content, metadata,
            created_at, updated_at) VALUES
        ('{DOCUMENT}', 1, 'PRD', 'approved', 'product_manager', '{RUN}', '{\"a\":1}', '{}', 1000, 1000);
    INSERT INTO document_uses VALUES ('{RUN}', '{DOCUMENT}', 1, 'architect', 1100);",
    "INSERT INTO snapshot_sets (id, label, kind, run_id, created_at) VALUES ('{SET}', 'before', 'manual', NULL, 1000);
    INSERT INTO snapshot_files VALUES ('{SET}', 'src/a.ts', '{OLD}');",
    "INSERT INTO vector_blocks (kind, model, block, used, bits)
        VALUES ('memory', 1, 0, zeroblob(128), zeroblob(1024));",
    "INSERT INTO ledger (run_id, agent, model, tier, reserved_tokens, reserved_usd, created_at, reason, owner_pid,
            owner_boot, owner_started)
        VALUES ('{TASK}', 'architect', 'p/m', 'C', 100, 0.5, 1200, 'the model of tier C', 7, 'boot', 'start');
    INSERT INTO breakers VALUES ('p/m', '{\"state\":\"open\"}', 1200);",
    "INSERT INTO seals VALUES ('{TASK}', '{OLD}');",
];

/// A database as the given version left it.
fn fixture(file: &Path, version: usize) {
    let mut conn = Connection::open(file).unwrap();
    schema::migrations(None).to_version(&mut conn, version).unwrap();
    let old = assist_base::ContentHash::of("old").as_str().to_owned();
    for rows in &ROWS[..version] {
        let mut sql = (*rows).to_owned();
        for (name, value) in [
            ("{RUN}", RUN),
            ("{TALK}", TALK),
            ("{MEMORY}", MEMORY),
            ("{DOCUMENT}", DOCUMENT),
            ("{TASK}", TASK),
            ("{SET}", SET),
            ("{OLD}", old.as_str()),
        ] {
            sql = sql.replace(name, value);
        }
        conn.execute_batch(&sql).unwrap();
    }
}

#[tokio::test]
async fn every_shipped_version_upgrades_with_its_data() {
    assert_eq!(ROWS.len() as i64, VERSION, "the rows of a new version are missing here");
    for version in 1..=ROWS.len() {
        let dir = tempfile::tempdir().unwrap();
        fixture(&dir.path().join("assist.db"), version);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(*store.mode(), Mode::ReadWrite, "from version {version}");
        check(&store, version).await;
        store.check().await.unwrap();
        store.close().await;
        // Once more, as it is now.
        let store = Store::open(dir.path()).unwrap();
        check(&store, version).await;
        // What was there before there was pruning is pruned as anything else.
        let pruned = store.keeper().prune(Retention::default(), Timestamp(i64::MAX / 2)).await.unwrap();
        assert_eq!(pruned.snapshots, 1);
    }
}

async fn check(store: &Store, version: usize) {
    let (run, talk): (RunId, ConversationId) = (RUN.parse().unwrap(), TALK.parse().unwrap());
    let session = store.sessions().get(run).await.unwrap();
    assert_eq!((session.status, session.summary.as_deref()), (RunState::Done, Some("Referrals are live")));
    assert_eq!(session.changed_files.len(), 1);
    assert_eq!(store.conversations().get(talk).await.unwrap().sessions, [run]);
    assert_eq!(store.messages().list(talk).await.unwrap().len(), 3);
    assert_eq!(store.events().list(run, 1).await.unwrap().len(), 2);
    assert_eq!(store.checkpoints().latest(run).await.unwrap().unwrap().stage, "asked");
    let before = store.snapshots().before_run(run).await.unwrap();
    assert_eq!(before[0].content.as_deref(), Some(&b"old"[..]));
    assert_eq!(store.leases().list().await.unwrap().len(), 1);
    assert_eq!(store.ledger().totals(run).await.unwrap().cost_usd, 0.25);

    // What was said before there was an index is found, also what broke off; what is not part of the talk is not.
    let said = store.past().messages("signup", PastFilter::default()).await.unwrap();
    assert_eq!(said[0].excerpt, "I want more signups");
    assert!(said.iter().all(|message| message.role != crate::Role::System));
    assert_eq!(store.past().messages("rewards", PastFilter::default()).await.unwrap().len(), 2);
    assert_eq!(store.past().runs("referrals", PastFilter::default()).await.unwrap()[0].session.id, run);

    if version >= 2 {
        let memories = store.memory().list(MemoryFilter::default(), Timestamp(3_000)).await.unwrap();
        assert_eq!((memories[0].category, memories[0].confidence), (Category::Decision, 0.75));
        let found = store.memory().recall(Recall::of("logins"), Timestamp(3_000)).await.unwrap();
        assert_eq!(found[0].memory.source_conversation, Some(talk));
        assert_eq!(store.memory().uses(memories[0].id).await.unwrap().len(), 1);
        // Its vector is asked for again where the way of keeping it changed.
        let waiting = store.vectors().waiting_memories("m", 9).await.unwrap();
        assert_eq!(waiting.len(), usize::from(version < 5));
    }
    if version >= 3 {
        let documents = store.documents().list(DocumentFilter::default()).await.unwrap();
        assert_eq!((documents[0].title.as_str(), documents[0].version), ("PRD", 1));
        assert_eq!(store.documents().used_by(run).await.unwrap().len(), 1);
        assert_eq!(store.tasks().list(run).await.unwrap()[0].status, TaskStatus::Done);
    }
    if version >= 6 {
        assert_eq!(store.breakers().list().await.unwrap(), [serde_json::json!({ "state": "open" })]);
        let calls = store.ledger().calls(TASK.parse().ok(), Timestamp(0), 9).await.unwrap();
        assert_eq!(calls[0].reason.as_deref(), Some("the model of tier C"));
    }
    // What older versions wrote has no reason and saved nothing.
    let calls = store.ledger().calls(Some(run), Timestamp(0), 9).await.unwrap();
    assert_eq!((calls[0].reason.as_deref(), calls[0].saved_usd, calls[0].cost_usd), (None, 0.0, Some(0.25)));
    if version >= 4 {
        let sets = store.snapshots().sets(None, 9).await.unwrap();
        let kept = store.snapshots().restore_data(sets[0].id, None).await.unwrap();
        assert_eq!(kept[0].path, DocPath::relative("src/a.ts").unwrap());
        assert_eq!(kept[0].content.as_deref(), Some(&b"old"[..]));
    }
}
