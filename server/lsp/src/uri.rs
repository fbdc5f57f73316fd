//! URIs of documents and the paths they stand for.
//!
//! Clients spell the same file in many ways: `file:///c%3A/x` and `file:///C:/x`, with and without percent signs. A [`Place`]
//! is the one spelling that documents are kept under; whether two places are one file by links or by a disk that does not
//! tell upper from lower case is asked of the disk, later and elsewhere. Schemes other than `file:` and `untitled:` are
//! declined. What we send back names a document exactly as the client did.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

/// What a URI stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A file, by its absolute path without `.`, `..` and doubled separators, the drive letter in upper case.
    File(PathBuf),
    /// A document that has no file yet, by its URI.
    Untitled(String),
}

/// Why a URI stands for nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Another scheme, or none.
    #[error("Assist works on files and unsaved documents only, not on `{0}`")]
    Scheme(String),
    /// Not a URI of a local file.
    #[error("`{0}` does not name a file on this machine")]
    Malformed(String),
}

/// Kept as they are in a path; all else is percent-encoded.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// What may stand in a URI, reserved characters included.
const URI: &AsciiSet = &PATH
    .remove(b':')
    .remove(b'?')
    .remove(b'#')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b'%');

/// What `uri` stands for.
///
/// # Errors
/// [`UriError`].
pub fn parse(uri: &str) -> Result<Place, UriError> {
    parse_for(uri, cfg!(windows))
}

fn parse_for(uri: &str, windows: bool) -> Result<Place, UriError> {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    if scheme.eq_ignore_ascii_case("untitled") && uri.len() > scheme.len() + 1 {
        return Ok(Place::Untitled(format!("untitled:{}", &uri[scheme.len() + 1..])));
    }
    if !scheme.eq_ignore_ascii_case("file") {
        return Err(UriError::Scheme(uri.to_owned()));
    }
    let malformed = || UriError::Malformed(uri.to_owned());
    let rest = &uri[scheme.len() + 1..];
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let path = percent_decode_str(path).decode_utf8().map_err(|_| malformed())?;
    let host = percent_decode_str(host).decode_utf8().map_err(|_| malformed())?;
    if path.contains('\0') || !path.starts_with('/') {
        return Err(malformed());
    }
    let local = host.is_empty() || host.eq_ignore_ascii_case("localhost");
    if !windows {
        return if local { Ok(Place::File(PathBuf::from(join("/", &path, '/')))) } else { Err(malformed()) };
    }
    let path = path.replace('\\', "/");
    if !local {
        return Ok(Place::File(PathBuf::from(join(&format!("\\\\{host}\\"), &path, '\\'))));
    }
    match path.as_bytes() {
        [b'/', drive, b':' | b'|', rest @ ..]
            if drive.is_ascii_alphabetic() && rest.first().is_none_or(|&b| b == b'/') =>
        {
            let drive = format!("{}:\\", drive.to_ascii_uppercase() as char);
            Ok(Place::File(PathBuf::from(join(&drive, &path[3..], '\\'))))
        }
        // `file:////server/share`, as some clients write it.
        [b'/', b'/', ..] => Ok(Place::File(PathBuf::from(join("\\\\", &path, '\\')))),
        _ => Err(malformed()),
    }
}

/// `root` with the normal parts of `path`.
fn join(root: &str, path: &str, separator: char) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut joined = root.to_owned();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            joined.push(separator);
        }
        joined.push_str(part);
    }
    joined
}

/// The URI of a file by its absolute path.
pub fn of_path(path: &Path) -> String {
    of_path_for(&path.to_string_lossy(), cfg!(windows))
}

fn of_path_for(path: &str, windows: bool) -> String {
    if !windows {
        return format!("file://{}", utf8_percent_encode(path, PATH));
    }
    let path = path.strip_prefix(r"\\?\").unwrap_or(path).replace('\\', "/");
    let encoded = utf8_percent_encode(&path, PATH).to_string();
    if path.starts_with("//") { format!("file:{encoded}") } else { format!("file:///{encoded}") }
}

/// Percent-encodes what a URI may not hold, such as the brackets of `[id].tsx`, which some clients send as they are.
pub fn repair(uri: &str) -> String {
    utf8_percent_encode(uri, URI).to_string()
}

/// Repairs the URIs of a request's parameters that the protocol's own types would refuse.
pub fn repair_params(params: &mut Value) {
    let fix = |value: Option<&mut Value>| {
        if let Some(Value::String(uri)) = value {
            *uri = repair(uri);
        }
    };
    fix(params.pointer_mut("/textDocument/uri"));
    fix(params.pointer_mut("/rootUri"));
    for list in ["/workspaceFolders", "/event/added", "/event/removed"] {
        if let Some(Value::Array(folders)) = params.pointer_mut(list) {
            for folder in folders {
                fix(folder.get_mut("uri"));
            }
        }
    }
    if let Some(Value::Array(diagnostics)) = params.pointer_mut("/context/diagnostics") {
        for diagnostic in diagnostics {
            if let Some(Value::Array(related)) = diagnostic.get_mut("relatedInformation") {
                for information in related {
                    fix(information.pointer_mut("/location/uri"));
                }
            }
            fix(diagnostic.pointer_mut("/codeDescription/href"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, unix: Option<&str>, windows: Option<&str>) {
        for (style, expected) in [(false, unix), (true, windows)] {
            let found = parse_for(uri, style).ok();
            assert_eq!(found, expected.map(|path| Place::File(PathBuf::from(path))), "{uri} windows={style}");
        }
    }

    #[test]
    fn every_spelling_of_a_file_is_one_place() {
        for uri in [
            "file:///c%3A/a%20b.ts",
            "file:///C:/a b.ts",
            "file:///c:/./x/../a%20b.ts",
            "FILE:///c|/a%20b.ts",
        ] {
            let Ok(Place::File(path)) = parse_for(uri, true) else { panic!("{uri}") };
            assert_eq!(path, PathBuf::from(r"C:\a b.ts"), "{uri}");
        }
        check("file:///home/a%20b/%5Bid%5D.tsx", Some("/home/a b/[id].tsx"), None);
        check("file:///home/a b/[id].tsx", Some("/home/a b/[id].tsx"), None);
        check("file://localhost/x//y/.//z", Some("/x/y/z"), None);
        check("file:/x", Some("/x"), None);
        check("file:///c%3A/", Some("/c:"), Some(r"C:\"));
        check("file:///../../etc", Some("/etc"), None);
    }

    #[test]
    fn a_share_is_a_file_on_windows_only() {
        check("file://server/share/a.ts", None, Some(r"\\server\share\a.ts"));
        check("file:////server/share/a.ts", Some("/server/share/a.ts"), Some(r"\\server\share\a.ts"));
    }

    #[test]
    fn what_is_no_local_file_is_declined() {
        for uri in [
            "",
            "x",
            "git:/a",
            "http://x/a",
            "vscode-notebook-cell:/a",
            "untitled:",
            "file:a",
            "file://",
            "file:///a%00",
            "file:///a%FF",
        ] {
            assert!(parse_for(uri, false).is_err(), "{uri}");
        }
        assert_eq!(parse("untitled:Untitled-1"), Ok(Place::Untitled("untitled:Untitled-1".to_owned())));
    }

    #[test]
    fn paths_come_back() {
        for path in ["/a b/[id].tsx", "/ü/#?%.ts"] {
            assert_eq!(parse_for(&of_path_for(path, false), false), Ok(Place::File(PathBuf::from(path))));
        }
        for path in [r"C:\a b\[id].tsx", r"\\server\share\x"] {
            assert_eq!(parse_for(&of_path_for(path, true), true), Ok(Place::File(PathBuf::from(path))));
        }
    }

    #[test]
    fn repairing_leaves_a_good_uri_alone() {
        for good in ["file:///c%3A/a%20b", "untitled:Untitled-1", "vscode-remote://ssh+x/y?a=b#c"] {
            assert_eq!(repair(good), good);
        }
        assert_eq!(repair("file:///a b/[id].tsx"), "file:///a%20b/%5Bid%5D.tsx");
    }
}
