//! Opening the database of a workspace, whatever state it is in. Nothing that we cannot read with certainty is ever
//! written to: such a file is read only, or left alone while this session's data lives in memory.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::damage;
use crate::error::{Result, StoreError};
use crate::schema;
use crate::seal::Seal;

/// The database's file name in the `.assist` folder.
pub(crate) const FILE: &str = "assist.db";

/// Databases up to this size are checked page by page when they are opened.
const CHECKED_BYTES: i64 = 1024 * 1024;

/// What a reading connection may keep of the file in memory.
const READER_CACHE_KIB: i64 = 16 * 1024;

/// The folder ignores itself in git; rules are the team's and may be committed.
const GITIGNORE: &str =
    "# Made by Assist: everything here but the rules stays on this machine.\n*\n!rules/\n!rules/**\n";

/// What can be done with the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    ReadWrite,
    /// Only reading: the file is newer than this program, or damaged. One sentence for the user says which.
    ReadOnly(String),
    /// Everything, but it is forgotten when the process ends. One sentence for the user says why.
    Memory(String),
}

/// An opened database.
pub(crate) struct Opened {
    pub(crate) mode: Mode,
    pub(crate) conn: Connection,
    /// None in memory.
    pub(crate) path: Option<PathBuf>,
    /// Set when the file was found damaged.
    pub(crate) damage: Option<StoreError>,
    /// Whether there is a file of Assist's that is not used because nothing says that this user made it.
    pub(crate) strange: bool,
}

/// Opens `folder`/assist.db, making both where they are missing. With a `seal`, a file that does not bear it is left alone.
///
/// # Errors
/// Only when not even a database in memory can be had.
pub(crate) fn open(folder: &Path, seal: Option<&Seal>) -> Result<Opened> {
    open_on(folder, seal, damage::on_network_disk)
}

/// As [`open`], again and again while another process keeps the file locked and `goes_on`, asked with the time that was
/// waited, says yes.
pub(crate) fn open_patiently(
    folder: &Path,
    seal: Option<&Seal>,
    mut goes_on: impl FnMut(Duration) -> bool,
) -> Result<Opened> {
    let begin = Instant::now();
    loop {
        match open(folder, seal) {
            Err(StoreError::Busy) if goes_on(begin.elapsed()) => {}
            opened => return opened,
        }
    }
}

/// As [`open`], told what a network disk is.
pub(crate) fn open_on(
    folder: &Path,
    seal: Option<&Seal>,
    on_network_disk: impl Fn(&Path) -> bool,
) -> Result<Opened> {
    let folder = match prepare_folder(folder) {
        Ok(folder) => folder,
        Err(error) => return in_memory(unwritable(folder, &error.to_string())),
    };
    let path = folder.join(FILE);
    // On a network disk the shared memory of a write-ahead log does not work between machines.
    let journal = if on_network_disk(&folder) { "DELETE" } else { "WAL" };
    match open_file(&path, journal, seal) {
        Ok(opened) => Ok(opened),
        Err(StoreError::Damaged { .. }) => open_damaged(&path, seal),
        Err(StoreError::Busy) => Err(StoreError::Busy),
        Err(StoreError::ReadOnly { .. }) => in_memory(unwritable(&folder, "it is read-only")),
        Err(StoreError::Full) => in_memory(format!(
            "Nothing will be remembered: there is no room on the disk for {}. Free some space and start again.",
            path.display()
        )),
        Err(error) => in_memory(unwritable(&folder, &error.to_string())),
    }
}

/// A database that ends with the process; `reason` is one sentence for the user.
pub(crate) fn in_memory(reason: String) -> Result<Opened> {
    let mut conn = Connection::open_in_memory()?;
    configure(&conn, wait_for_lock)?;
    schema::migrate(&mut conn, None)?;
    Ok(Opened { mode: Mode::Memory(reason), conn, path: None, damage: None, strange: false })
}

/// A connection for reading a database that is open already.
pub(crate) fn reader(path: &Path, mode: &Mode) -> Result<Connection> {
    let conn = match mode {
        // Not opened read-only: the last to close such a file could not tidy up its log.
        Mode::ReadWrite => connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, wait_for_lock)?,
        _ => connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, wait_for_lock)?,
    };
    conn.pragma_update(None, "query_only", true)?;
    // In KiB. A search looks through megabytes; a page is taken only when it is read.
    conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(conn)
}

fn unwritable(folder: &Path, why: &str) -> String {
    let why = why.trim_end_matches('.');
    format!(
        "Nothing will be remembered: {} cannot be written to ({why}). Make it writable and start again.",
        folder.display()
    )
}

/// Makes the folder and its `.gitignore`; returns its real path. A `.gitignore` that is there is the user's.
fn prepare_folder(folder: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    match fs::File::options().write(true).create_new(true).open(folder.join(".gitignore")) {
        Ok(mut file) => file.write_all(GITIGNORE.as_bytes())?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        // The database may be writable all the same; opening it tells.
        Err(error) => tracing::debug!(%error, "no .gitignore"),
    }
    Ok(folder)
}

fn open_file(path: &Path, journal: &str, seal: Option<&Seal>) -> Result<Opened> {
    if path.metadata().is_ok_and(|file| file.len() > 0) {
        // First a look that cannot change the file: closing a writing connection would move the log into it.
        let looked = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, wait_a_moment).and_then(|conn| {
            let owner = inspect(&conn, seal)?;
            if owner != Owner::Strange {
                check_small(&conn)?;
            }
            Ok(owner)
        });
        match looked {
            Ok(Owner::Ours) => {}
            Ok(owner) => return not_ours(path, owner),
            Err(error @ (StoreError::Damaged { .. } | StoreError::Busy)) => return Err(error),
            // A journal that a crash left on a disk without a log needs a writer to roll it back.
            Err(error) => tracing::debug!(%error, "not readable without writing"),
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut conn = connect(path, flags, wait_a_moment)?;
    if conn.is_readonly("main")? {
        return Err(StoreError::ReadOnly { reason: String::new() });
    }
    let owner = inspect(&conn, seal)?;
    if owner != Owner::Ours {
        drop(conn);
        return not_ours(path, owner);
    }
    set_journal(&conn, journal)?;
    schema::migrate(&mut conn, seal)?;
    // Somebody else's process may have made it in the meantime.
    if inspect(&conn, seal)? == Owner::Strange {
        drop(conn);
        return not_ours(path, Owner::Strange);
    }
    // A file that says it has our schema and has not was cut or tampered with.
    if has_tables(&conn) {
        conn.busy_handler(Some(wait_for_lock))?;
        Ok(Opened { mode: Mode::ReadWrite, conn, path: Some(path.to_owned()), damage: None, strange: false })
    } else {
        Err(damage::unplaced())
    }
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// New, or of a version that we know.
    Ours,
    /// Of a later version of Assist.
    Newer,
    /// Of another program.
    Foreign,
    /// Of Assist, but nothing says that this user made it.
    Strange,
}

fn inspect(conn: &Connection, seal: Option<&Seal>) -> Result<Owner> {
    let application: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = schema::user_version(conn)?;
    let objects: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(if application != schema::APPLICATION_ID && (objects > 0 || version != 0 || application != 0) {
        Owner::Foreign
    } else if let Some(seal) = seal
        && (objects > 0 || version != 0)
        && !seal.is_on(conn)?
    {
        Owner::Strange
    } else if version > schema::VERSION {
        Owner::Newer
    } else {
        Owner::Ours
    })
}

fn not_ours(path: &Path, owner: Owner) -> Result<Opened> {
    let path_shown = path.display();
    match owner {
        Owner::Foreign => in_memory(format!(
            "Nothing will be remembered: {path_shown} is a database of another program. Move it away and start again."
        )),
        Owner::Strange => Ok(Opened { strange: true, ..in_memory(strange(path))? }),
        _ => read_only(
            path,
            format!(
                "{path_shown} was written by a newer version of Assist, so this one only reads it. Update Assist to go on."
            ),
            None,
        ),
    }
}

/// What the user is told of a database that nothing says they made.
fn strange(path: &Path) -> String {
    format!(
        "{} was not made by you on this machine: it came with the folder, was copied with it, or is of an older Assist. It is not used, \
         and nothing will be remembered. If it is yours, run `assist adopt`; if not, delete it.",
        path.display()
    )
}

fn has_tables(conn: &Connection) -> bool {
    schema::TABLES.iter().all(|table| conn.prepare(&format!("SELECT 1 FROM {table}")).is_ok())
}

/// A damaged file is copied and then left alone: read if it can be read, else not used.
fn open_damaged(path: &Path, seal: Option<&Seal>) -> Result<Opened> {
    let damage = damage::preserve(path);
    let reason = damage.to_string();
    if let Some(seal) = seal
        && let Ok(opened) = read_only(path, reason.clone(), None)
        && !seal.is_on(&opened.conn).unwrap_or(false)
    {
        let mut opened = in_memory(format!("{reason} {}", strange(path)))?;
        opened.damage = Some(damage);
        return Ok(opened);
    }
    if let Ok(opened) = read_only(path, reason.clone(), Some(damage.clone()))
        && has_tables(&opened.conn)
    {
        return Ok(opened);
    }
    let mut opened = in_memory(format!("{reason} Until then, nothing will be remembered."))?;
    opened.damage = Some(damage);
    Ok(opened)
}

fn read_only(path: &Path, reason: String, damage: Option<StoreError>) -> Result<Opened> {
    let mode = Mode::ReadOnly(reason);
    let conn = reader(path, &mode)?;
    Ok(Opened { mode, conn, path: Some(path.to_owned()), damage, strange: false })
}

/// What is done when another process holds a lock, asked again and again: whether to try once more.
type OnLock = fn(i32) -> bool;

fn connect(path: &Path, flags: OpenFlags, on_lock: OnLock) -> Result<Connection> {
    // No symbolic link: a cloned folder must not lead us to another program's database. No URI: a path is a path.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let conn = Connection::open_with_flags(path, flags)?;
    configure(&conn, on_lock)?;
    Ok(conn)
}

/// What every connection is set to.
fn configure(conn: &Connection, on_lock: OnLock) -> Result<()> {
    conn.busy_handler(Some(on_lock))?;
    conn.set_prepared_statement_cache_capacity(96);
    conn.pragma_update(None, "foreign_keys", true)?;
    // The file may have come with a cloned repository: nothing in its schema may run functions with effects.
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(())
}

/// Waits for a lock that another process holds: short naps, so that processes take turns, for about half a minute.
fn wait_for_lock(tries: i32) -> bool {
    if tries > 3_000 {
        return false;
    }
    std::thread::sleep(Duration::from_millis(u64::from(1 + tries.unsigned_abs() / 16).min(10)));
    true
}

/// Waits for about a fifth of a second: whoever opens a file is asked whether to go on waiting.
fn wait_a_moment(tries: i32) -> bool {
    tries < 40 && wait_for_lock(tries.saturating_add(16))
}

/// Sets the journal's mode. Where the disk does not allow it, SQLite keeps the one it has.
fn set_journal(conn: &Connection, wanted: &str) -> Result<()> {
    let mut tries = 0;
    let mode: String = loop {
        match conn.pragma_update_and_check(None, "journal_mode", wanted, |row| row.get(0)) {
            Ok(mode) => break mode,
            // Switching does not always ask the busy handler.
            Err(error) => match StoreError::from(error) {
                StoreError::Busy if tries < 8 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(25));
                }
                other => return Err(other),
            },
        }
    };
    tracing::debug!(%mode, "database opened");
    conn.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    Ok(())
}

fn check_small(conn: &Connection) -> Result<()> {
    let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page_size: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    if pages.saturating_mul(page_size) <= CHECKED_BYTES {
        damage::quick_check(conn)?;
    }
    Ok(())
}
