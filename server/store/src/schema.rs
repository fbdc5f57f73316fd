//! The schema and its migrations. They are numbered and append-only: a shipped file is never edited.

use rusqlite::{Connection, Transaction, TransactionBehavior};
use rusqlite_migration::{HookError, M, Migrations};

use crate::error::{Result, StoreError};
use crate::seal::Seal;

/// Every migration, in order. A new one is appended here and never moved.
pub(crate) const FILES: [(&str, &str); 7] = [
    ("0001_runs", include_str!("migrations/0001_runs.sql")),
    ("0002_memory", include_str!("migrations/0002_memory.sql")),
    ("0003_work", include_str!("migrations/0003_work.sql")),
    ("0004_snapshot_sets", include_str!("migrations/0004_snapshot_sets.sql")),
    ("0005_vector_blocks", include_str!("migrations/0005_vector_blocks.sql")),
    ("0006_budgets", include_str!("migrations/0006_budgets.sql")),
    ("0007_seals", include_str!("migrations/0007_seals.sql")),
];

/// The schema version this program writes.
pub(crate) const VERSION: i64 = FILES.len() as i64;

/// What `PRAGMA application_id` says in our files: `ASST`.
pub(crate) const APPLICATION_ID: i64 = 0x4153_5354;

/// Tables without which a file that claims our version is not whole.
pub(crate) const TABLES: [&str; 45] = [
    "advisor_conversations",
    "advisor_memory",
    "agent_messages",
    "agent_sessions",
    "approvals",
    "blobs",
    "breakers",
    "changed_files",
    "checkpoints",
    "conversation_sessions",
    "document_dependencies",
    "document_reviews",
    "document_uses",
    "document_versions",
    "documents",
    "events",
    "experience_words",
    "experiences",
    "failure_patterns",
    "improvements",
    "leases",
    "ledger",
    "memory_sources",
    "memory_trigrams",
    "memory_uses",
    "memory_words",
    "message_index",
    "message_words",
    "messages",
    "open_documents",
    "response_cache",
    "run_decisions",
    "run_focus",
    "run_inputs",
    "seals",
    "session_index",
    "session_words",
    "snapshot_files",
    "snapshot_sets",
    "snapshots",
    "task_dependencies",
    "tasks",
    "vector_blocks",
    "vector_models",
    "vectors",
];

/// The version in which databases began to be marked.
const SEALED_SINCE: usize = 7;

/// Brings the database to [`VERSION`], also while other processes try the same. One that is made by this, and none that was there
/// before, is marked with `seal`, in the same transaction.
///
/// # Errors
/// Whatever SQLite reports; the database is then as it was.
pub(crate) fn migrate(conn: &mut Connection, seal: Option<&Seal>) -> Result<()> {
    let mut version = user_version(conn)?;
    while version < VERSION {
        // Migrations may rebuild tables, which must not cascade; references are checked at the end of each instead.
        conn.pragma_update(None, "foreign_keys", false)?;
        conn.set_transaction_behavior(TransactionBehavior::Immediate);
        let outcome = migrations(seal).to_latest(conn);
        conn.set_transaction_behavior(TransactionBehavior::Deferred);
        conn.pragma_update(None, "foreign_keys", true)?;
        let now = user_version(conn)?;
        // A failure counts only if nobody else has migrated meanwhile.
        if let Err(error) = outcome
            && now == version
        {
            return Err(match error {
                rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
                other => StoreError::Sql { message: other.to_string() },
            });
        }
        version = now;
    }
    Ok(())
}

/// The version the file says it has.
pub(crate) fn user_version(conn: &Connection) -> Result<i64> {
    Ok(conn.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// The migrations; each refuses to run a second time. Two processes that open a new database at once both read the old
/// version before either has the write lock; the second must notice when it gets the lock.
pub(crate) fn migrations(seal: Option<&Seal>) -> Migrations<'static> {
    let migration = |(index, (_, sql)): (usize, &(&'static str, &'static str))| {
        let seal = seal.filter(|_| index + 1 == SEALED_SINCE).cloned();
        M::up_with_hook(sql, move |tx: &Transaction| {
            let version: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if version > index as i64 {
                return Err(HookError::Hook("another process was faster".to_owned()));
            }
            // The version is written at the end of the transaction: a file that has none yet is made by it.
            if let Some(seal) = seal.as_ref().filter(|_| version == 0) {
                seal.put_on(tx)?;
            }
            Ok(())
        })
        .foreign_key_check()
    };
    Migrations::new(FILES.iter().enumerate().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use assist_base::ContentHash;

    use super::*;

    /// Hashes of the shipped files. Append; a hash that is already here may never change.
    const SHIPPED: [&str; 7] = [
        "8e1b7eb0f47ed6e007b9648735be151245b7add6d3fbc2dcb28accc5634d6abe",
        "16e9a3adedd05dc3880727e97048a8a3492a0701d7c168bc47bb97449615d525",
        "470e44c591980a6f6df3a1636d682618f3b48ba0e12e255b01a88b69fee16d96",
        "8f3429a173c152baeee8160ed7f47bfa622402a8e1b3801fc0e98caf0cc74be8",
        "514637297472cd8894d6f1425bf61519be3c9f61104c3c618eedd8f9bc8a0617",
        "56e8dd7a99282e430c162308f1f89530769f7125dc813803a916aa2bbef7320a",
        "333c2bea949d9403aa64e629335ad6cb88ac13df2f5a39df48aa1ee1061b3779",
    ];

    #[test]
    fn shipped_migrations_are_never_edited() {
        let hashes: Vec<_> = FILES.iter().map(|(_, sql)| ContentHash::of(sql).as_str().to_owned()).collect();
        assert_eq!(hashes, SHIPPED);
    }

    #[test]
    fn every_version_upgrades_to_the_latest() {
        for from in 0..=FILES.len() {
            let mut conn = Connection::open_in_memory().unwrap();
            if from > 0 {
                migrations(None).to_version(&mut conn, from).unwrap();
            }
            migrate(&mut conn, None).unwrap();
            assert_eq!(user_version(&conn).unwrap(), VERSION, "from {from}");
            let lacking: i64 = conn
                .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(lacking, 0);
            for table in TABLES {
                conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
            }
        }
    }

    #[test]
    fn a_migration_that_another_process_made_is_not_made_again() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, None).unwrap();
        conn.execute_batch("DROP TABLE ledger; DROP INDEX agent_sessions_by_age;").unwrap();
        migrate(&mut conn, None).unwrap();
        assert!(conn.prepare("SELECT * FROM ledger").is_err(), "an applied migration ran again");
    }
}
