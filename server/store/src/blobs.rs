//! Content by hash: `blobs`. Each content is kept once, compressed where that helps.

use std::io::{Read as _, Write as _};

use assist_base::ContentHash;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rusqlite::{Transaction, params};

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{Store, rows};

/// Larger content is refused. Files are far below it; the limit keeps a forged row from filling the memory.
pub const MAX_BLOB_BYTES: usize = 64 * 1024 * 1024;

/// Below this, compressing saves nothing worth the time.
const WORTH_COMPRESSING: usize = 128;

/// The contents of a store.
#[derive(Debug, Clone, Copy)]
pub struct Blobs<'s>(pub(crate) &'s Store);

/// Content on its way in, compressed on a reading thread so that the writing one is not kept busy.
pub(crate) struct Packed {
    pub(crate) hash: ContentHash,
    content: Vec<u8>,
    /// None when the store had it already.
    compressed: Option<Encoded>,
}

struct Encoded {
    encoding: &'static str,
    data: Option<Vec<u8>>,
}

impl Blobs<'_> {
    /// Keeps `content` and returns its hash. Content that is there already is not kept again.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written or is larger than [`MAX_BLOB_BYTES`].
    pub async fn put(&self, content: impl Into<Vec<u8>>) -> Result<ContentHash> {
        let content = content.into();
        let packed = self.0.read(move |tx| pack(tx, content)).await?;
        self.0
            .write(Durability::Normal, move |tx| {
                insert(tx, &packed)?;
                Ok(packed.hash)
            })
            .await
    }

    /// The content with this hash, if it is kept.
    ///
    /// # Errors
    /// [`StoreError::Row`] when what is kept does not have this hash.
    pub async fn get(&self, hash: &ContentHash) -> Result<Option<Vec<u8>>> {
        let hash = hash.clone();
        self.0.read(move |tx| get(tx, &hash)).await
    }
}

/// Prepares content for [`insert`].
pub(crate) fn pack(tx: &Transaction<'_>, content: Vec<u8>) -> Result<Packed> {
    if content.len() > MAX_BLOB_BYTES {
        return Err(StoreError::invalid(format!("{} bytes are too many to keep", content.len())));
    }
    let hash = ContentHash::of(&content);
    let compressed = if exists(tx, &hash)? { None } else { Some(encode(&content)) };
    Ok(Packed { hash, content, compressed })
}

/// Writes content that is not there yet.
pub(crate) fn insert(tx: &Transaction<'_>, packed: &Packed) -> Result<()> {
    if exists(tx, &packed.hash)? {
        return Ok(());
    }
    // It was there when it was packed, and has been pruned since.
    let encoded_now;
    let encoded = match &packed.compressed {
        Some(encoded) => encoded,
        None => {
            encoded_now = encode(&packed.content);
            &encoded_now
        }
    };
    let data = encoded.data.as_deref().unwrap_or(&packed.content);
    let size = rows::integer(packed.content.len() as u64);
    let sql = "INSERT INTO blobs (hash, size, encoding, data) VALUES (?1, ?2, ?3, ?4)";
    rows::run(tx, sql, params![packed.hash.as_str(), size, encoded.encoding, data])?;
    Ok(())
}

pub(crate) fn get(tx: &Transaction<'_>, hash: &ContentHash) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT size, encoding, data FROM blobs WHERE hash = ?1";
    rows::first(tx, sql, [hash.as_str()], |row| {
        let size = usize::try_from(rows::count(row, "size")?).unwrap_or(usize::MAX).min(MAX_BLOB_BYTES);
        let encoding: String = row.get("encoding")?;
        let data: Vec<u8> = row.get("data")?;
        let content = match encoding.as_str() {
            "raw" => data,
            _ => {
                let mut content = Vec::new();
                // One byte more than there should be tells a forged size; a broken stream tells itself by its hash.
                let limit = size as u64 + 1;
                let _ = DeflateDecoder::new(data.as_slice()).take(limit).read_to_end(&mut content);
                content
            }
        };
        if ContentHash::of(&content) == *hash {
            Ok(content)
        } else {
            Err(rows::foreign("blobs", format!("{hash} is not what its name says")))
        }
    })
}

fn exists(tx: &Transaction<'_>, hash: &ContentHash) -> Result<bool> {
    Ok(tx.prepare_cached("SELECT 1 FROM blobs WHERE hash = ?1")?.exists([hash.as_str()])?)
}

fn encode(content: &[u8]) -> Encoded {
    if content.len() >= WORTH_COMPRESSING {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        let data = encoder.write_all(content).and_then(|()| encoder.finish());
        if let Ok(data) = data
            && data.len() < content.len()
        {
            return Encoded { encoding: "deflate", data: Some(data) };
        }
    }
    Encoded { encoding: "raw", data: None }
}
