use std::fs;
use std::path::{Component, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{Trust, Workspace};

fn doc(path: &str) -> DocPath {
    DocPath::relative(path).unwrap()
}

/// A workspace beside a folder that must never be reached.
struct House {
    _folder: TempDir,
    outside: PathBuf,
    workspace: Workspace,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    let (root, outside) = (top.join("ws"), top.join("outside"));
    fs::create_dir_all(root.join("src")).unwrap();
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(root.join("src/a.ts"), "a\n").unwrap();
    fs::write(outside.join("secret"), "s\n").unwrap();
    let workspace = Workspace::open(&root, Trust::Trusted).unwrap();
    House { _folder: folder, outside, workspace }
}

#[test]
fn closed_folders_are_closed_in_every_spelling() {
    let house = house();
    for path in [
        ".git/config",
        ".GIT/config",
        "sub/.git/hooks/pre-commit",
        ".git",
        ".git./config",
        ".git /config",
        "git~1/config",
        ".g\u{200c}it/config",
        ".git::$INDEX_ALLOCATION/config",
        ".assist/assist.db",
        ".Assist/assist.db",
        "assist~1/assist.db",
        "new/.assist/x",
    ] {
        let error = house.workspace.absolute(&doc(path)).unwrap_err();
        assert!(matches!(error, FileError::Protected { .. }), "{path}: {error}");
    }
    for path in [".gitignore", ".github/workflows/ci.yml", "git/x", "assist.toml", ".assistant", "git~x"] {
        assert!(house.workspace.absolute(&doc(path)).is_ok(), "{path}");
    }
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;

    use super::*;

    fn refused(house: &House, path: &str) -> FileError {
        house.workspace.absolute(&doc(path)).unwrap_err()
    }

    #[test]
    fn a_link_that_leads_out_is_refused_for_files_that_exist_and_for_new_ones() {
        let house = house();
        let root = house.workspace.root();
        symlink(&house.outside, root.join("src/out")).unwrap();
        symlink(house.outside.join("secret"), root.join("secret")).unwrap();
        symlink("../../outside/secret", root.join("src/relative")).unwrap();
        symlink("out", root.join("src/chain")).unwrap();
        symlink("/", root.join("slash")).unwrap();
        for path in [
            "src/out/secret",
            "src/out/new/file.ts",
            "secret",
            "src/relative",
            "src/chain/x",
            "slash/etc/passwd",
            "src/out",
        ] {
            let error = refused(&house, path);
            assert!(matches!(error, FileError::Outside { .. }), "{path}: {error}");
            assert!(house.workspace.read(&doc(path)).is_err());
            assert!(!house.workspace.exists(&doc(path)));
        }
        // By absolute path too.
        let named = |path: &str| house.workspace.doc_path(&root.join(path));
        assert!(matches!(named("src/out/secret"), Err(FileError::Outside { .. })));
        assert!(matches!(named("src/out/new.ts"), Err(FileError::Outside { .. })));
        assert!(matches!(named("../outside/secret"), Err(FileError::Outside { .. })));
    }

    #[test]
    fn a_link_inside_leads_to_the_one_real_file() {
        let house = house();
        let root = house.workspace.root();
        symlink("src", root.join("lib")).unwrap();
        assert_eq!(house.workspace.absolute(&doc("lib/a.ts")).unwrap(), root.join("src/a.ts"));
        assert_eq!(house.workspace.absolute(&doc("lib/new.ts")).unwrap(), root.join("src/new.ts"));
        assert_eq!(house.workspace.doc_path(&root.join("lib/a.ts")).unwrap(), doc("src/a.ts"));
        assert_eq!(house.workspace.doc_path(&root.join("lib/deep/new.ts")).unwrap(), doc("src/deep/new.ts"));
    }

    #[test]
    fn a_link_to_a_closed_folder_or_to_nothing_is_refused() {
        let house = house();
        let root = house.workspace.root();
        symlink(".git", root.join("innocent")).unwrap();
        symlink("nowhere", root.join("broken")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        symlink(".", root.join("here")).unwrap();
        assert!(matches!(refused(&house, "innocent/config"), FileError::Protected { .. }));
        assert!(matches!(refused(&house, "broken"), FileError::BrokenLink { .. }));
        assert!(matches!(refused(&house, "broken/x"), FileError::BrokenLink { .. }));
        assert!(matches!(refused(&house, "circle/x"), FileError::BrokenLink { .. }));
        assert!(matches!(refused(&house, "here"), FileError::NotAFile { .. }));
        assert!(matches!(refused(&house, "src/a.ts/below"), FileError::NotAFile { .. }));
    }

    #[test]
    fn a_name_that_could_mean_another_file_is_refused() {
        let house = house();
        let root = house.workspace.root();
        fs::write(root.join("src\\a.ts"), "another").unwrap();
        assert!(matches!(house.workspace.doc_path(&root.join("src\\a.ts")), Err(FileError::BadName { .. })));
        let latin = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"caf\xe9.ts");
        assert!(matches!(house.workspace.doc_path(&root.join(latin)), Err(FileError::BadName { .. })));
        assert!(matches!(house.workspace.doc_path(&root.join("a\nb")), Err(FileError::BadName { .. })));
        assert!(matches!(house.workspace.doc_path(Path::new("src/a.ts")), Err(FileError::BadName { .. })));
    }

    /// Segments that a hostile path is likely to be made of; some are links in the workspace of the test.
    fn segment() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("..".to_owned()),
            Just(".".to_owned()),
            Just(String::new()),
            Just("src".to_owned()),
            Just("out".to_owned()),
            Just("up".to_owned()),
            Just("back".to_owned()),
            Just("a.ts".to_owned()),
            Just("secret".to_owned()),
            Just(".git".to_owned()),
            Just(".GiT".to_owned()),
            Just(".assist".to_owned()),
            Just("C:".to_owned()),
            "[a-z.~ :\\\\\u{200d}é]{1,4}",
            any::<String>(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever is asked for, what comes back is real, inside, and not in a closed folder; and asking again by the
        /// absolute path gives the same file.
        #[test]
        fn no_path_leaves(segments in prop::collection::vec(segment(), 1..7), separator in "[/\\\\]") {
            let house = house();
            let root = house.workspace.root();
            symlink(&house.outside, root.join("src/out")).unwrap();
            symlink("..", root.join("src/up")).unwrap();
            symlink("../outside/../ws/src", root.join("back")).unwrap();
            let spelled = segments.join(&separator);
            let Ok(path) = DocPath::relative(&spelled) else { return Ok(()) };
            let Ok(place) = house.workspace.absolute(&path) else { return Ok(()) };
            let inside = place.strip_prefix(root).expect("inside the workspace");
            for part in inside.components() {
                let Component::Normal(part) = part else { panic!("{place:?}") };
                let part = part.to_string_lossy().to_lowercase();
                prop_assert!(part != ".git" && part != ".assist", "{place:?}");
            }
            // No link on the way any more.
            for ancestor in place.ancestors().take_while(|at| at.starts_with(root)) {
                prop_assert!(!ancestor.symlink_metadata().is_ok_and(|found| found.is_symlink()), "{ancestor:?}");
            }
            let canonical = house.workspace.doc_path(&place).unwrap();
            prop_assert_eq!(house.workspace.absolute(&canonical).unwrap(), place);
        }
    }
}
