//! The copy follows the workspace, and nothing comes back.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use assist_base::DocPath;

use super::*;

struct Place {
    _folder: tempfile::TempDir,
    top: PathBuf,
    real: PathBuf,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let place = Self { _folder: folder, real: top.join("real"), top };
        fs::create_dir(&place.real).unwrap();
        for (path, text) in files {
            place.write(path, text);
        }
        place
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.real.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn open(&self) -> Shadow {
        let workspace = Workspace::open(&self.real, Trust::Trusted).unwrap();
        Shadow::open(&workspace, &self.top.join("shadows")).unwrap()
    }
}

fn overlay(texts: &[(&str, Option<&str>)]) -> Overlay {
    texts.iter().map(|(path, text)| (DocPath::relative(path).unwrap(), text.map(str::to_owned))).collect()
}

fn files(root: &Path) -> Vec<String> {
    fn walk(root: &Path, at: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_symlink() || path.is_file() { found.push(name) } else { walk(root, &path, found) }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}

fn read(shadow: &Shadow, path: &str) -> String {
    fs::read_to_string(shadow.root().join(path)).unwrap()
}

#[test]
fn what_changes_is_copied_and_nothing_else_is_touched() {
    let place = Place::new(&[("a.txt", "a"), ("src/b.txt", "b"), ("src/deep/c.txt", "c")]);
    let mut shadow = place.open();
    assert_eq!(shadow.sync(&Overlay::new()).unwrap().written, 3);
    let untouched = fs::metadata(shadow.root().join("src/b.txt")).unwrap();
    let before = shadow.generation();

    place.write("a.txt", "A");
    place.write("new/d.txt", "d");
    fs::remove_dir_all(place.real.join("src/deep")).unwrap();
    let synced = shadow.sync(&Overlay::new()).unwrap();
    assert_eq!((synced.written, synced.removed), (2, 1));
    assert_eq!(files(shadow.root()), ["a.txt", "new/d.txt", "src/b.txt"]);
    assert_eq!(read(&shadow, "a.txt"), "A");
    assert!(shadow.generation() > before);
    let now = fs::metadata(shadow.root().join("src/b.txt")).unwrap();
    assert_eq!((untouched.ino(), untouched.modified().unwrap()), (now.ino(), now.modified().unwrap()));

    // Same size, changed within the clock's grain.
    place.write("a.txt", "B");
    shadow.sync(&Overlay::new()).unwrap();
    assert_eq!(read(&shadow, "a.txt"), "B");
    let generation = shadow.generation();
    assert_eq!(shadow.sync(&Overlay::new()).unwrap().written, 0);
    assert_eq!(shadow.generation(), generation);
    // A file turns into a folder and a folder into a file.
    fs::remove_file(place.real.join("a.txt")).unwrap();
    fs::remove_dir_all(place.real.join("new")).unwrap();
    place.write("a.txt/inner", "i");
    place.write("new", "n");
    shadow.sync(&Overlay::new()).unwrap();
    assert_eq!(files(shadow.root()), ["a.txt/inner", "new", "src/b.txt"]);
}

#[test]
fn ignored_files_products_and_git_are_not_copied() {
    let place = Place::new(&[
        (".gitignore", "*.log\n/dist\n!keep.log\n"),
        ("x.log", ""),
        ("keep.log", ""),
        ("dist/out.js", ""),
        ("pkg/.gitignore", "secret.env\n"),
        ("pkg/secret.env", ""),
        ("pkg/lib.rs", ""),
        ("Cargo.toml", ""),
        ("target/debug/x", ""),
        (".git/config", ""),
        (".assist/assist.db", ""),
        ("pkg/.mypy_cache/x", ""),
        ("tests/target/x", ""),
    ]);
    let mut shadow = place.open();
    shadow.sync(&Overlay::new()).unwrap();
    assert_eq!(
        files(shadow.root()),
        [".gitignore", "Cargo.toml", "keep.log", "pkg/.gitignore", "pkg/lib.rs", "tests/target/x"]
    );
    // Rules that change hold at once.
    place.write(".gitignore", "*.rs\n");
    shadow.sync(&Overlay::new()).unwrap();
    assert!(!shadow.root().join("pkg/lib.rs").exists());
    assert!(shadow.root().join("x.log").exists() && shadow.root().join("dist/out.js").exists());
}

#[test]
fn an_overlay_is_laid_over_and_taken_off() {
    let place = Place::new(&[("a.txt", "a"), ("src/b.txt", "b")]);
    let mut shadow = place.open();
    let over = overlay(&[("a.txt", Some("A")), ("src/b.txt", None), ("more/new.txt", Some("n"))]);
    shadow.sync(&over).unwrap();
    assert_eq!(files(shadow.root()), ["a.txt", "more/new.txt"]);
    assert_eq!(read(&shadow, "a.txt"), "A");
    let stamp = fs::metadata(shadow.root().join("a.txt")).unwrap().modified().unwrap();
    shadow.sync(&over).unwrap();
    assert_eq!(fs::metadata(shadow.root().join("a.txt")).unwrap().modified().unwrap(), stamp);
    let generation = shadow.generation();

    shadow.sync(&Overlay::new()).unwrap();
    assert_eq!(files(shadow.root()), ["a.txt", "src/b.txt"]);
    assert_eq!(read(&shadow, "a.txt"), "a");
    assert_eq!(shadow.generation(), generation, "the workspace itself did not change");
    assert_eq!(files(&place.real), ["a.txt", "src/b.txt"]);
    assert_eq!(fs::read_to_string(place.real.join("a.txt")).unwrap(), "a");

    // The workspace becomes what was laid over: nothing is another then.
    shadow.sync(&overlay(&[("a.txt", Some("A"))])).unwrap();
    place.write("a.txt", "A");
    let synced = shadow.sync(&Overlay::new()).unwrap();
    assert_eq!((synced.written, shadow.generation()), (0, generation));
}

#[test]
fn what_a_command_did_to_the_copy_is_put_right() {
    let place =
        Place::new(&[(".gitignore", "out\n"), ("a.txt", "a"), ("src/b.txt", "b"), ("src/c.txt", "c")]);
    let mut shadow = place.open();
    shadow.sync(&Overlay::new()).unwrap();
    let line = "echo x > a.txt; rm src/b.txt; echo y > src/stray.txt; mkdir -p out s && echo z > out/kept; touch s/t; \
                rm src/c.txt; ln -s ../a.txt src/c.txt; chmod 000 a.txt";
    let done = shadow.shell(line).run(None).unwrap();
    assert!(done.success(), "{done:?}");
    shadow.sync(&Overlay::new()).unwrap();
    assert_eq!(files(shadow.root()), [".gitignore", "a.txt", "out/kept", "src/b.txt", "src/c.txt"]);
    assert_eq!(read(&shadow, "a.txt") + &read(&shadow, "src/b.txt") + &read(&shadow, "src/c.txt"), "abc");
}

#[test]
fn no_link_that_a_command_left_leads_a_write_into_the_workspace() {
    let place = Place::new(&[("src/a.txt", "a"), ("b.txt", "b")]);
    let mut shadow = place.open();
    shadow.sync(&Overlay::new()).unwrap();
    let (copy, real) = (shadow.root().to_path_buf(), place.real.clone());
    fs::remove_dir_all(copy.join("src")).unwrap();
    symlink(real.join("src"), copy.join("src")).unwrap();
    fs::remove_file(copy.join("b.txt")).unwrap();
    fs::hard_link(real.join("b.txt"), copy.join("b.txt")).unwrap();
    let _ = shadow.shell("true");
    shadow
        .sync(&overlay(&[("src/a.txt", Some("evil")), ("b.txt", Some("evil")), ("src/n.txt", Some("evil"))]))
        .unwrap();
    assert_eq!(files(&real), ["b.txt", "src/a.txt"]);
    assert_eq!(fs::read_to_string(real.join("src/a.txt")).unwrap(), "a");
    assert_eq!(fs::read_to_string(real.join("b.txt")).unwrap(), "b");
    assert_eq!(read(&shadow, "src/a.txt"), "evil");
}

#[test]
fn dependencies_are_shared_and_packages_of_the_workspace_are_the_copys_own() {
    let place = Place::new(&[
        ("packages/ui/index.js", "ui"),
        ("node_modules/left/index.js", "left"),
        ("node_modules/@types/node/index.d.ts", ""),
        (".venv/pyvenv.cfg", ""),
        (".venv/bin/tool", ""),
    ]);
    fs::create_dir_all(place.real.join("node_modules/@own")).unwrap();
    symlink("../../packages/ui", place.real.join("node_modules/@own/ui")).unwrap();
    symlink(place.real.join("packages"), place.real.join("alias")).unwrap();
    let mut shadow = place.open();
    shadow.sync(&Overlay::new()).unwrap();
    let copy = shadow.root().to_path_buf();
    let real = |path: &str| copy.join(path).canonicalize().unwrap();
    assert_eq!(real("node_modules/left/index.js"), place.real.join("node_modules/left/index.js"));
    assert_eq!(real("node_modules/@types/node"), place.real.join("node_modules/@types/node"));
    assert_eq!(real("node_modules/@own/ui"), copy.join("packages/ui"));
    assert_eq!(real("alias"), copy.join("packages"));
    assert_eq!(real(".venv/bin/tool"), place.real.join(".venv/bin/tool"));
    assert!(shadow.walls().readable.contains(&place.real.join("node_modules")));
    // A cache beside the packages is the copy's own, and a package that goes is gone.
    fs::create_dir(copy.join("node_modules/.vite")).unwrap();
    fs::remove_dir_all(place.real.join("node_modules/left")).unwrap();
    let _ = shadow.shell("true");
    shadow.sync(&Overlay::new()).unwrap();
    assert!(copy.join("node_modules/.vite").exists() && !copy.join("node_modules/left").is_symlink());
    assert!(!place.real.join("node_modules/.vite").exists());
}

#[test]
fn a_later_process_goes_on_with_the_copy_and_each_run_has_its_own() {
    let place = Place::new(&[("a.txt", "a"), ("b.txt", "b")]);
    let mut first = place.open();
    first.sync(&Overlay::new()).unwrap();
    let mut second = place.open();
    assert_ne!(first.root(), second.root());
    second.sync(&Overlay::new()).unwrap();
    let root = first.root().to_path_buf();
    drop(first);
    place.write("b.txt", "B");
    let mut again = place.open();
    assert_eq!(again.root(), root);
    assert_eq!(again.sync(&Overlay::new()).unwrap().written, 1);

    // One that ended badly leaves no list: all is compared, and what is right is left alone.
    std::mem::forget(second);
    let others: Vec<Shadow> = (0..2).map(|_| place.open()).collect();
    let workspace = Workspace::open(&place.real, Trust::Trusted).unwrap();
    let busy = Shadow::open(&workspace, &place.top.join("shadows"));
    assert!(matches!(busy, Err(ShadowError::Busy)));
    drop(others);
    let untrusted = Workspace::open(&place.real, Trust::Untrusted).unwrap();
    assert!(matches!(Shadow::open(&untrusted, &place.top.join("shadows")), Err(ShadowError::Untrusted)));
}

#[test]
fn a_copy_left_half_overlaid_is_compared_anew() {
    let place = Place::new(&[("a.txt", "a")]);
    let mut shadow = place.open();
    shadow.sync(&overlay(&[("a.txt", Some("A")), ("n.txt", Some("n"))])).unwrap();
    drop(shadow);
    let mut again = place.open();
    again.sync(&Overlay::new()).unwrap();
    assert_eq!(files(again.root()), ["a.txt"]);
    assert_eq!(read(&again, "a.txt"), "a");
}
