//! Telling the user's own databases from others. A repository may bring an `.assist/assist.db` of its own: paused runs with a
//! confirmed plan, answers of models, memories, all of them made up by somebody else. So each database is marked when it is made,
//! with a secret that is kept in the user's own folder, and one without that mark is not believed.
//!
//! The mark says who made the file, not what has been written into it since, and goes with it where the folder is moved. Whoever
//! gives their database away gives the mark away with it.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use assist_base::{ContentHash, RunId};
use rusqlite::{Connection, params};

use crate::error::Result;

/// The secret's file in the user's folder.
const FILE: &str = "seal";

/// As many random digits are a secret.
const DIGITS: usize = 64;

/// As many marks are looked at: one for each user who took the database over.
const MARKS: i64 = 64;

/// A user's secret, with which their databases are marked.
#[derive(Clone)]
pub struct Seal(String);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// The secret that is kept in `folder`, which is the user's own and of no workspace. It is made where there is none yet, by
    /// whichever process comes first. Blocks on the disk.
    ///
    /// # Errors
    /// The folder cannot be made, read or written, or holds something that is no secret.
    pub fn of_user(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(folder, &path)?,
            read => return read,
        }
        read(&path)
    }

    /// The mark that this secret leaves on a database, `salt` being the mark's own.
    fn mark(&self, salt: &str) -> String {
        ContentHash::of(format!("assist.db\n{}\n{salt}", self.0)).as_str().to_owned()
    }

    /// Marks a database.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub(crate) fn put_on(&self, conn: &Connection) -> rusqlite::Result<()> {
        let salt = RunId::new().to_string();
        let sql = "INSERT INTO seals (salt, mark) VALUES (?1, ?2)";
        conn.execute(sql, params![salt, self.mark(&salt)])?;
        Ok(())
    }

    /// Whether a database, which anyone may have made, has this secret's mark.
    ///
    /// # Errors
    /// Whatever SQLite reports, but for a table of marks that is not there or not as ours is.
    pub(crate) fn is_on(&self, conn: &Connection) -> Result<bool> {
        // A view of this name could be anything.
        let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'seals'";
        if conn.query_row(sql, [], |row| row.get::<_, i64>(0))? != 1 {
            return Ok(false);
        }
        let Ok(mut statement) = conn.prepare("SELECT salt, mark FROM seals LIMIT ?1") else {
            return Ok(false);
        };
        let mut rows = statement.query([MARKS])?;
        while let Some(row) = rows.next()? {
            if let (Ok(salt), Ok(mark)) = (row.get::<_, String>(0), row.get::<_, String>(1))
                && self.mark(&salt) == mark
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn read(path: &Path) -> io::Result<Seal> {
    let secret = fs::read_to_string(path)?;
    if secret.len() == DIGITS && secret.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(Seal(secret));
    }
    let what = format!("{} is not as Assist wrote it", path.display());
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Makes the secret, unless another process is faster. It is there whole or not at all.
fn make(folder: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let digits = || RunId::new().to_string().replace('-', "");
    let secret = format!("{}{}", digits(), digits());
    let unfinished = folder.join(format!("{FILE}.{}", RunId::new()));
    let made = write_private(&unfinished, secret.as_bytes()).and_then(|()| {
        // Unlike a renamed file, a link never takes the place of another's.
        match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Some disks know no links; two processes that come first in the same moment are less likely than those.
            Err(_) if !path.exists() => fs::rename(&unfinished, path),
            linked => linked,
        }
    });
    let _ = fs::remove_file(&unfinished);
    made
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
