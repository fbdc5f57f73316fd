//! All the edit blocks of one answer, by file.

use assist_base::DocPath;

use super::{Hunk, parse};
use crate::scanner::Component;

/// The hunks for one file, from all blocks, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// The file.
    pub path: DocPath,
    /// Its hunks.
    pub hunks: Vec<Hunk>,
    /// First and last line of the blocks in the stream.
    pub lines: (usize, usize),
}

/// A block that cannot be used, and with it all the others of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Which block, from 0.
    pub block: usize,
    /// Why, as a sentence without its full stop.
    pub reason: String,
}

/// Reads the edit blocks of an answer and brings together what is for one file. `asked` is the file of a block that names
/// none; `id` the one the run issued.
///
/// # Errors
/// Every block that cannot be used.
pub fn gather<'b>(
    blocks: impl IntoIterator<Item = &'b Component>,
    id: Option<&str>,
    asked: Option<&DocPath>,
) -> Result<Vec<Gathered>, Vec<Unusable>> {
    let mut files: Vec<Gathered> = Vec::new();
    let mut unusable = Vec::new();
    for (at, block) in blocks.into_iter().enumerate() {
        let read = match parse(block, id) {
            Ok(read) => read,
            Err(error) => {
                unusable.push(Unusable { block: at, reason: error.to_string() });
                continue;
            }
        };
        for one in read {
            // A document without a folder has a name that is no relative path.
            let same = asked.filter(|asked| one.path.as_deref() == Some(asked.as_str()));
            let path = match (one.path.as_deref().map(DocPath::relative), same.or(asked)) {
                (Some(_), Some(asked)) if same.is_some() => asked.clone(),
                (Some(Ok(path)), _) => path,
                (Some(Err(error)), _) => {
                    unusable
                        .push(Unusable { block: at, reason: format!("its path cannot be used: {error}") });
                    continue;
                }
                (None, Some(asked)) => asked.clone(),
                (None, None) => {
                    unusable.push(Unusable { block: at, reason: "it names no file".to_owned() });
                    continue;
                }
            };
            let lines = (block.first_line, block.last_line);
            match files.iter_mut().find(|file| file.path == path) {
                Some(file) => {
                    file.hunks.extend(one.hunks);
                    file.lines = (file.lines.0.min(lines.0), file.lines.1.max(lines.1));
                }
                None => files.push(Gathered { path, hunks: one.hunks, lines }),
            }
        }
    }
    if unusable.is_empty() { Ok(files) } else { Err(unusable) }
}
