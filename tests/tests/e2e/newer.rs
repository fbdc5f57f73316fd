//! A database that this version must not write: of a newer version, or damaged where it is looked at last.

use std::path::PathBuf;

use assist_simulator::{Reply, Script, answer};

use crate::support::{Desk, HERO, HERO_LINES, NEW_HERO, Wire};

const FILE: &str = "src/Hero.tsx";
const ASK: [&str; 6] = ["ask", "Go", "--file", FILE, "--lines", HERO_LINES];
const DATABASE: &str = ".assist/assist.db";

/// A desk with one run in its database, which nobody has open.
fn used() -> Desk {
    let desk = Desk::new(
        Wire::Anthropic,
        &[(FILE, HERO)],
        Script::always(Reply::text(answer("Hero", FILE, NEW_HERO))),
    );
    desk.run(&ASK).exits(0);
    // Whoever closes it last has everything in the file itself.
    desk.store(async |_| ());
    assert!(!desk.folder.has(".assist/assist.db-wal"), "everything is in the file itself");
    desk.folder.write(FILE, HERO.as_bytes());
    desk
}

/// All databases of the workspace, with their bytes; not what the log holds.
fn databases(desk: &Desk) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = desk.own_files();
    files.retain(|(path, bytes)| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("assist.db") && !name.ends_with("-shm") && !bytes.is_empty()
    });
    files.sort();
    files
}

#[test]
fn a_database_of_a_newer_version_is_read_and_nothing_is_written() {
    let desk = used();
    let mut bytes = desk.folder.bytes(DATABASE);
    // Where SQLite keeps the version of the schema: four bytes, the first counts most.
    bytes[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    desk.folder.write(DATABASE, &bytes);
    let before = databases(&desk);
    let newer = "was written by a newer version of Assist";
    let listed = desk.run(&["sessions", "--json"]).exits(0);
    assert!(listed.stderr.contains(newer) && listed.stderr.contains("Update Assist"), "{}", listed.stderr);
    assert!(listed.stdout.contains("\"done\""), "what is in it can be read: {}", listed.stdout);
    desk.run(&["costs", "--json"]).exits(0);
    let asked = desk.sim.requests().len();
    for args in [&ASK[..], &["memory", "add", "Style", "Plain"], &["snapshot", "create"]] {
        let ran = desk.run(args);
        assert!(matches!(ran.status.code(), Some(1 | 2)), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(newer), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(desk.sim.requests().len(), asked, "nothing is paid for that cannot be kept");
    assert_eq!(desk.folder.read(FILE), HERO);
    assert!(databases(&desk) == before, "the database was changed");
}

#[test]
fn a_database_with_a_damaged_page_is_copied_once_and_never_written() {
    let desk = used();
    let mut bytes = desk.folder.bytes(DATABASE);
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    assert!(bytes.len() > 8 * page, "there are pages to damage");
    // All pages but the first two lose their heads.
    for head in (2 * page..bytes.len()).step_by(page) {
        bytes[head..head + 16].fill(0xA5);
    }
    desk.folder.write(DATABASE, &bytes);
    for _ in 0..2 {
        let ran = desk.run(&["sessions"]);
        assert!(ran.stderr.contains("assist.db") && ran.stderr.contains("damaged"), "{}", ran.stderr);
    }
    let kept = databases(&desk);
    let copies: Vec<_> =
        kept.iter().filter(|(path, _)| path.to_string_lossy().contains("assist.db.damaged-")).collect();
    assert_eq!(copies.len(), 1, "one copy of it");
    assert!(copies[0].1 == bytes && desk.folder.bytes(DATABASE) == bytes, "both are as they were found");
}
