//! Names of documents.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A document by name: a file by its path relative to the workspace root (`src/App.tsx`, always with `/`), or an unsaved
/// document by its whole URI (`untitled:Untitled-1`).
///
/// A value of this type is normalised and never leaves the workspace by its spelling: no `..`, no absolute path, no
/// drive, no control character. Whether a symbolic link leads out is decided by the `runtime` crate, which opens files.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct DocPath(String);

/// Why a path was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing was named.
    #[error("the path is empty")]
    Empty,
    /// The path is absolute, or has a drive or a scheme.
    #[error("`{0}` is not relative to the workspace")]
    NotRelative(String),
    /// The path climbs out with `..`.
    #[error("`{0}` leaves the workspace")]
    Leaves(String),
    /// The path holds a NUL, a line break or another control character.
    #[error("the path holds a control character")]
    Control,
}

const UNTITLED: &str = "untitled:";

impl DocPath {
    /// A path relative to the workspace root. Backslashes count as separators; `.` and empty segments are dropped.
    ///
    /// # Errors
    /// [`PathError`] where the path could name something outside the workspace.
    pub fn relative(path: &str) -> Result<Self, PathError> {
        if path.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        let path = path.replace('\\', "/");
        if path.starts_with('/') || path.contains("://") {
            return Err(PathError::NotRelative(path));
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        return Err(PathError::Leaves(path));
                    }
                }
                part => parts.push(part),
            }
        }
        // Looked at only now: `a/../C:/x` begins with a drive as well.
        let Some(first) = parts.first() else { return Err(PathError::Empty) };
        let bytes = first.as_bytes();
        let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
        if drive || first.starts_with(UNTITLED) {
            return Err(PathError::NotRelative(path));
        }
        Ok(Self(parts.join("/")))
    }

    /// An unsaved document, by its `untitled:` URI.
    ///
    /// # Errors
    /// [`PathError::NotRelative`] for any other scheme.
    pub fn untitled(uri: &str) -> Result<Self, PathError> {
        if uri.starts_with(UNTITLED) && uri.len() > UNTITLED.len() {
            Ok(Self(uri.to_owned()))
        } else {
            Err(PathError::NotRelative(uri.to_owned()))
        }
    }

    /// Whether this is an unsaved document, which has no place on disk.
    pub fn is_untitled(&self) -> bool {
        self.0.starts_with(UNTITLED)
    }

    /// The path or URI as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment: `App.tsx`.
    pub fn file_name(&self) -> &str {
        self.0.rsplit(['/', ':']).next().unwrap_or(&self.0)
    }

    /// What follows the last dot of the file name, if anything does: `tsx`.
    pub fn extension(&self) -> Option<&str> {
        self.file_name().rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ext)| ext)
    }
}

impl<'de> Deserialize<'de> for DocPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let path = if text.starts_with(UNTITLED) { Self::untitled(&text) } else { Self::relative(&text) };
        path.map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for DocPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DocPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_normalised() {
        assert_eq!(DocPath::relative("./src//a/../App.tsx").unwrap().as_str(), "src/App.tsx");
        assert_eq!(DocPath::relative("src\\App.tsx").unwrap().as_str(), "src/App.tsx");
        assert_eq!(DocPath::relative("app/[id]/page.tsx").unwrap().extension(), Some("tsx"));
        assert_eq!(DocPath::relative(".env").unwrap().extension(), None);
    }

    #[test]
    fn a_path_that_leaves_is_refused() {
        for bad in [
            "",
            ".",
            "/etc/passwd",
            "..",
            "a/../../b",
            "C:\\x",
            "c:/x",
            "file:///x",
            "a\0b",
            "a\nb",
            "\\\\host\\x",
        ] {
            assert!(DocPath::relative(bad).is_err(), "{bad:?}");
        }
    }
}
