//! A workspace folder that goes away with the test.

use std::path::{Path, PathBuf};

/// A temporary folder with files in it. Panics where the file system does not play along: no test can go on then.
#[derive(Debug)]
pub struct Folder {
    dir: tempfile::TempDir,
    /// Symlinks resolved, as the server reports paths.
    root: PathBuf,
}

impl Folder {
    /// A folder with these files (path, content), in a subfolder whose name needs care: `my work [1]`.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let root = dir.path().canonicalize().expect("the folder is there").join("my work [1]");
        std::fs::create_dir(&root).expect("the folder is empty");
        let folder = Self { dir, root };
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    /// The workspace's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder outside the workspace that goes away with it: for a user's home, caches and the like.
    pub fn beside(&self, name: &str) -> PathBuf {
        let path = self.dir.path().canonicalize().expect("the folder is there").join(name);
        std::fs::create_dir_all(&path).expect("the folder can be made");
        path
    }

    /// The absolute path of a file.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The `file:` URI of a file, as VS Code writes it.
    pub fn uri(&self, path: &str) -> String {
        uri(&self.path(path))
    }

    /// The file's text.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        String::from_utf8(self.bytes(path)).expect("the file is UTF-8")
    }

    /// The file's bytes.
    #[track_caller]
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.path(path)).expect("the file is there")
    }

    /// Is there such a file?
    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Writes a file and the folders above it.
    #[track_caller]
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("the folders can be made");
        }
        std::fs::write(path, content).expect("the file can be written");
    }
}

/// The `file:` URI of an absolute path. Everything but unreserved characters and `/` is escaped.
pub fn uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
