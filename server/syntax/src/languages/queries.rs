//! The queries that say what a language's files declare: those of the program, and a user's own in their place.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, PoisonError};

use tree_sitter::Query;

use super::Language;
use super::table::TABLE;

/// A user's query that cannot be used. The program's own stays in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is no such folder under `queries/`, or this build has no grammar for it.
    #[error("there is no language with the folder name `{folder}` in this build")]
    UnknownFolder {
        /// The folder's name.
        folder: String,
    },
    /// It is not a query, or not one for this grammar.
    #[error("line {line}, column {column}: {message}")]
    Invalid {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
        /// What is wrong, on one line.
        message: String,
    },
    /// It names nothing, so nothing would be found with it.
    #[error("no pattern captures a `@name`")]
    NoName,
}

/// The names of the folders under `queries/` that this build can use, each once.
pub fn folders() -> Vec<&'static str> {
    let mut folders: Vec<&'static str> =
        TABLE.iter().filter(|row| row.grammar.is_some()).map(|row| row.folder).collect();
    folders.dedup();
    folders
}

/// A number that is another when the program's queries are; none where a query of the user stands in the place of one. What was
/// found with them may be kept under it.
pub fn fingerprint() -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    for row in &TABLE {
        if row.overridden.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return None;
        }
        (row.name, row.grammar.is_some(), row.components).hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// Puts `text` in the place of `queries/<folder>/components.scm` for the whole process, from now on.
///
/// # Errors
/// [`QueryError`] where it cannot be used; what was in use before stays.
pub fn override_components(folder: &str, text: &str) -> Result<(), QueryError> {
    let mut compiled = Vec::new();
    for row in TABLE.iter().filter(|row| row.folder == folder) {
        if row.grammar.is_some() {
            compiled.push((row, compile(row.language, text)?));
        }
    }
    if compiled.is_empty() {
        return Err(QueryError::UnknownFolder { folder: folder.to_owned() });
    }
    for (row, query) in compiled {
        *row.overridden.write().unwrap_or_else(PoisonError::into_inner) = Some(query);
    }
    Ok(())
}

/// One query for each grammar of the language.
fn compile(language: Language, text: &str) -> Result<Vec<Arc<Query>>, QueryError> {
    let grammars = language.grammars();
    let queries = grammars.iter().map(|grammar| {
        let query = Query::new(grammar, text).map_err(|error| QueryError::Invalid {
            line: error.row + 1,
            column: error.column + 1,
            message: format!("{:?} error: {}", error.kind, error.message.lines().next().unwrap_or_default()),
        })?;
        if query.capture_names().contains(&"name") { Ok(Arc::new(query)) } else { Err(QueryError::NoName) }
    });
    queries.collect()
}

impl Language {
    /// The compiled `components.scm` for one of the grammars; `None` where there is none.
    pub(crate) fn components(self, grammar: usize) -> Option<Arc<Query>> {
        let row = self.row();
        let own = row.overridden.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = own.as_ref() {
            return own.get(grammar).map(Arc::clone);
        }
        let built_in = row.built_in.get_or_init(|| {
            compile(self, row.components)
                .expect("the query is part of the program, and a test compiles every one")
        });
        built_in.get(grammar).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_compiles() {
        for row in TABLE.iter().filter(|row| row.grammar.is_some()) {
            let query = compile(row.language, row.components);
            assert!(query.is_ok(), "{}: {:?}", row.name, query.err());
        }
    }

    #[test]
    fn a_query_that_cannot_be_used_says_where_and_changes_nothing() {
        let wrong = "(object\n  (no_such_node) @name) @key\n";
        let error = override_components("json", wrong).unwrap_err();
        assert!(matches!(error, QueryError::Invalid { line: 2, .. }), "{error:?}");
        assert!(!error.to_string().contains('\n'), "{error}");
        assert_eq!(override_components("json", "(object) @key\n"), Err(QueryError::NoName));
        assert!(matches!(override_components("cobol", ""), Err(QueryError::UnknownFolder { .. })));
        let found = crate::outline("{\"a\": 1}\n", Language::Json);
        assert_eq!(found.len(), 1);
    }
}
