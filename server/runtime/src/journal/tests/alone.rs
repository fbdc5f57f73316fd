//! Sets of one file, whose journal holds no copies: each kind of change, crashing, failing and disturbed at each moment.

use super::*;

/// One change of each kind, and the tree that it leads to.
fn kinds(ground: &Ground) -> Vec<(FileChange, BTreeMap<String, String>)> {
    let after = |change: &dyn Fn(&mut BTreeMap<String, String>)| {
        let mut tree = before();
        change(&mut tree);
        tree
    };
    let insert = |tree: &mut BTreeMap<String, String>, files: &[(&str, &str)]| tree.append(&mut named(files));
    let gone = FileEdit::Delete { base: Revision::of_file("old gone\n") };
    vec![
        (ground.modify("src/b.ts", 0, 3, "new"), after(&|tree| insert(tree, &[("src/b.ts", "new b\n")]))),
        (
            create("src/deep/new.ts", "new file\n"),
            after(&|tree| insert(tree, &[("src/deep/", ""), ("src/deep/new.ts", "new file\n")])),
        ),
        (FileChange { path: doc("gone.ts"), edit: gone }, after(&|tree| drop(tree.remove("gone.ts")))),
    ]
}

const KINDS: std::ops::Range<usize> = 0..3;

fn moments(kind: usize) -> Vec<Moment> {
    let ground = ground();
    let passed = std::cell::RefCell::new(Vec::new());
    let note = |moment| {
        passed.borrow_mut().push(moment);
        Ok(())
    };
    let (change, after) = kinds(&ground).swap_remove(kind);
    super::super::apply(&ground.workspace, &set(vec![change]), &note).0.unwrap();
    assert_eq!(ground.tree(), after);
    assert!(journal_is_empty(ground.folder.path()));
    passed.into_inner()
}

#[test]
fn a_crash_leaves_the_file_on_one_side_and_nothing_beside_it() {
    for kind in KINDS {
        let moments = moments(kind);
        let (mut finished, mut rolled_back) = (0, 0);
        for (n, moment) in moments.iter().enumerate() {
            let ground = ground();
            let (change, after) = kinds(&ground).swap_remove(kind);
            let changes = set(vec![change]);
            crash_at(&ground, &changes, n);
            let recovered = ground.workspace.recover().unwrap();
            let is_made = match recovered.as_slice() {
                [] => *moment == Moment::Retired,
                [one] => {
                    assert_eq!((one.change_set, &one.left_alone), (changes.id, &Vec::new()), "{moment:?}");
                    assert!(matches!(one.how, Recovery::Finished | Recovery::RolledBack), "{one:?}");
                    one.how == Recovery::Finished
                }
                more => panic!("{more:?}"),
            };
            assert_eq!(ground.tree(), if is_made { after } else { before() }, "{kind} at {moment:?}");
            // What the caller was told stays so.
            assert!(is_made || !matches!(moment, Moment::Complete | Moment::Retired), "{moment:?}");
            (finished, rolled_back) =
                if is_made { (finished + 1, rolled_back) } else { (finished, rolled_back + 1) };
            assert!(journal_is_empty(ground.folder.path()), "{moment:?}");
            assert_eq!(ground.workspace.recover().unwrap(), [], "{moment:?}");
        }
        assert!(finished > 1 && rolled_back > 2, "{moments:?}");
    }
}

#[test]
fn a_failure_rolls_back_at_once() {
    for kind in KINDS {
        let moments = moments(kind);
        let complete = moments.iter().position(|moment| *moment == Moment::Complete).unwrap();
        for (n, moment) in moments.iter().enumerate().take(complete) {
            let ground = ground();
            let count = Cell::new(0);
            let fail = |_| {
                count.set(count.get() + 1);
                let full = || FileError::io("writing", "src/b.ts", io::ErrorKind::StorageFull.into());
                if count.get() == n + 1 { Err(Stop::Failed(full())) } else { Ok(()) }
            };
            let (change, _) = kinds(&ground).swap_remove(kind);
            let error = super::super::apply(&ground.workspace, &set(vec![change]), &fail).0.unwrap_err();
            assert!(error.to_string().contains("disk is full"), "{error}");
            assert_eq!(ground.tree(), before(), "{kind} at {moment:?}");
            assert!(journal_is_empty(ground.folder.path()), "{moment:?}");
        }
    }
}

#[test]
fn what_the_user_saved_after_a_crash_is_left_alone() {
    for (kind, edited) in KINDS.zip(["src/b.ts", "src/deep/new.ts", "gone.ts"]) {
        for (n, moment) in moments(kind).iter().enumerate() {
            let ground = ground();
            let (change, _) = kinds(&ground).swap_remove(kind);
            crash_at(&ground, &set(vec![change]), n);
            fs::create_dir_all(ground.path("src/deep")).unwrap();
            fs::write(ground.path(edited), "what the user wrote\n").unwrap();
            ground.workspace.recover().unwrap();
            let mut expected = before();
            expected.insert("src/deep/".to_owned(), String::new());
            expected.insert(edited.to_owned(), "what the user wrote\n".to_owned());
            let mut found = ground.tree();
            found.insert("src/deep/".to_owned(), String::new());
            assert_eq!(found, expected, "{kind} at {moment:?}");
            assert!(journal_is_empty(ground.folder.path()), "{moment:?}");
        }
    }
}

#[test]
fn what_is_saved_in_the_very_moment_is_put_back_also_after_a_crash() {
    for crashes in [false, true] {
        let ground = ground();
        let changes = set(vec![ground.modify("src/b.ts", 0, 3, "new")]);
        let probe = |moment| match moment {
            // The last before the file is compared and swapped; the comparison is made to see nothing yet.
            Moment::Swapped(0) => {
                // As if it had been saved between the two: what was displaced is the user's.
                let beside = fs::read_dir(ground.path("src")).unwrap().flatten();
                let staged =
                    beside.map(|entry| entry.path()).find(|path| path.extension() == Some("tmp".as_ref()));
                fs::write(staged.unwrap(), "saved just now\n").unwrap();
                if crashes { Err(Stop::Crash) } else { Ok(()) }
            }
            _ => Ok(()),
        };
        let outcome = super::super::apply(&ground.workspace, &changes, &probe).0;
        let mut expected = before();
        expected.insert("src/b.ts".to_owned(), "saved just now\n".to_owned());
        if crashes {
            let recovered = ground.workspace.recover().unwrap();
            assert_eq!(recovered[0].left_alone, [doc("src/b.ts")]);
        } else {
            assert_eq!(outcome.unwrap(), Outcome::Stale { path: doc("src/b.ts") });
        }
        assert_eq!(ground.tree(), expected);
        assert!(journal_is_empty(ground.folder.path()));
    }
}

#[test]
fn a_journal_that_comes_back_after_it_was_done_changes_nothing() {
    for kind in KINDS {
        let ground = ground();
        let (change, after) = kinds(&ground).swap_remove(kind);
        let changes = set(vec![change]);
        let own = ground.path(".assist/journal").join(changes.id.to_string());
        let probe = |moment| {
            if moment == Moment::Retired {
                // As a loss of power may: the renaming was not on the disk yet.
                fs::rename(own.with_extension("done"), &own).unwrap();
                return Err(Stop::Crash);
            }
            Ok(())
        };
        let _ = super::super::apply(&ground.workspace, &changes, &probe);
        let recovered = ground.workspace.recover().unwrap();
        assert_eq!(recovered[0].how, Recovery::Finished);
        assert_eq!(ground.tree(), after, "{kind}");
        assert!(journal_is_empty(ground.folder.path()));
    }
}
