//! The user's own queries: `queries/<lang>/components.scm` in their configuration folder, each in the place of the program's
//! for that language. Read once, when the process starts.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::OnceLock;

use assist_syntax::languages;

use crate::folders::user_folder;

/// More than any query needs.
const MAX_BYTES: u64 = 1 << 20;

/// Reads them, and says what of them cannot be used: a sentence each, with the file and the line. Where one cannot, the
/// program's own counts.
pub fn load() -> &'static [String] {
    static PROBLEMS: OnceLock<Vec<String>> = OnceLock::new();
    PROBLEMS.get_or_init(|| user_folder().map_or_else(Vec::new, |folder| read_all(&folder.join("queries"))))
}

fn read_all(folder: &Path) -> Vec<String> {
    if !folder.is_dir() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for language in languages::folders() {
        let file = folder.join(language).join("components.scm");
        let problem = match read(&file) {
            Ok(None) => continue,
            Ok(Some(text)) => match languages::override_components(language, &text) {
                Ok(()) => continue,
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        problems.push(format!(
            "The query {} cannot be used: {problem}. The built-in one is used; correct the file or remove it.",
            file.display()
        ));
    }
    problems
}

fn read(file: &Path) -> std::io::Result<Option<String>> {
    let opened = match std::fs::File::open(file) {
        Ok(opened) => opened,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    opened.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MB"));
    }
    Ok(Some(text))
}
