//! Embeddings kept in a file, so that a long evaluation can be taken up where it stopped.
//!
//! The file only grows, one record after the other, each with a checksum. A record that was cut off
//! or damaged counts as not there. One process writes at a time; others read what is there.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Embedding;
use super::memory::Key;

/// Begins the file; its last digit changes when the records' form or the way to embed does.
const MAGIC: &[u8; 16] = b"deskhand-shelf-1";
const KEY: usize = 32;
const NOTES: usize = 8;
const CHECK: usize = 8;

/// The embeddings of one encoder in one file.
pub(super) struct Shelf {
    file: File,
    places: HashMap<Key, u64>,
    dimensions: usize,
    /// Where the next record goes; `None` where another process writes.
    end: Option<u64>,
}

impl Shelf {
    /// Opens or makes the file of an encoder in a folder.
    pub(super) fn open(folder: &Path, fingerprint: &str, dimensions: usize) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let name = fingerprint.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let path = folder.join(format!("{name}.embeddings"));
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let writes = file.try_lock().is_ok();
        let mut magic = [0; MAGIC.len()];
        let known = file.read_exact(&mut magic).is_ok() && &magic == MAGIC;
        if !known && writes {
            file.set_len(0)?;
            file.write_all(MAGIC)?;
        }
        let mut shelf = Self { file, places: HashMap::new(), dimensions, end: None };
        let end = if known { shelf.find_all()? } else { MAGIC.len() as u64 };
        if writes {
            shelf.file.set_len(end)?;
            shelf.end = Some(end);
        }
        Ok(shelf)
    }

    fn record_len(&self) -> usize {
        KEY + NOTES + 4 * self.dimensions + CHECK
    }

    /// Notes where each sound record is; returns where the last one ends.
    fn find_all(&mut self) -> io::Result<u64> {
        let mut record = vec![0; self.record_len()];
        let mut at = MAGIC.len() as u64;
        let mut reader = BufReader::with_capacity(1 << 20, &self.file);
        loop {
            match reader.read_exact(&mut record) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(at),
                Err(e) => return Err(e),
            }
            if let Some((key, _)) = decode(&record) {
                self.places.insert(key, at);
            }
            at += record.len() as u64;
        }
    }

    /// The embedding that was kept under a key.
    pub(super) fn get(&self, key: &Key) -> Option<Embedding> {
        let at = *self.places.get(key)?;
        let mut record = vec![0; self.record_len()];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at)).ok()?;
        file.read_exact(&mut record).ok()?;
        decode(&record).filter(|(found, _)| found == key).map(|(_, embedding)| embedding)
    }

    /// Keeps embeddings, unless another process writes to the file.
    pub(super) fn put(&mut self, embeddings: &[(Key, &Embedding)]) -> io::Result<()> {
        let Some(mut end) = self.end else {
            return Ok(());
        };
        let mut records = Vec::with_capacity(embeddings.len() * self.record_len());
        let mut places = Vec::with_capacity(embeddings.len());
        for (key, embedding) in embeddings {
            if embedding.vector.len() == self.dimensions {
                places.push((*key, end));
                encode(key, embedding, &mut records);
                end += self.record_len() as u64;
            }
        }
        if let Err(failed) = self.file.write_all(&records) {
            // What was written of them would put everything behind it out of place.
            self.end = self.end.filter(|whole| self.file.set_len(*whole).is_ok());
            return Err(failed);
        }
        self.end = Some(end);
        self.places.extend(places);
        Ok(())
    }
}

fn encode(key: &Key, embedding: &Embedding, to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(key);
    to.extend_from_slice(&(embedding.tokens as u32).to_le_bytes());
    to.extend_from_slice(&u32::from(embedding.truncated).to_le_bytes());
    for value in &embedding.vector {
        to.extend_from_slice(&value.to_le_bytes());
    }
    let check = Sha256::digest(&to[start..]);
    to.extend_from_slice(&check[..CHECK]);
}

fn decode(record: &[u8]) -> Option<(Key, Embedding)> {
    let (content, check) = record.split_last_chunk::<CHECK>()?;
    if Sha256::digest(content)[..CHECK] != *check {
        return None;
    }
    let (key, rest) = content.split_first_chunk::<KEY>()?;
    let (numbers, _) = rest.as_chunks::<4>();
    let (notes, vector) = numbers.split_first_chunk::<2>()?;
    let [tokens, truncated] = notes.map(u32::from_le_bytes);
    let vector = vector.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Some((*key, Embedding { vector, truncated: truncated != 0, tokens: tokens as usize }))
}

#[cfg(test)]
mod tests {
    use super::super::memory::key;
    use super::*;

    fn embedding(n: usize) -> Embedding {
        Embedding { vector: vec![n as f32, -1.5, 0.25], truncated: n % 2 == 1, tokens: n }
    }

    fn put(shelf: &mut Shelf, numbers: std::ops::Range<usize>) {
        let made: Vec<_> = numbers.map(|n| (key(&n.to_string()), embedding(n))).collect();
        let made: Vec<_> = made.iter().map(|(key, embedding)| (*key, embedding)).collect();
        shelf.put(&made).unwrap();
    }

    #[test]
    fn what_was_kept_is_there_again_and_what_is_damaged_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::open(folder.path(), "model:12ab", 3).unwrap();
        put(&mut shelf, 0..5);
        assert_eq!(shelf.get(&key("3")), Some(embedding(3)));
        // A second one, at the same time, reads and does not write.
        let mut other = Shelf::open(folder.path(), "model:12ab", 3).unwrap();
        put(&mut other, 7..8);
        assert_eq!((other.get(&key("4")), other.get(&key("7"))), (Some(embedding(4)), None));
        drop((shelf, other));

        let path = folder.path().join("model-12ab.embeddings");
        let mut bytes = fs::read(&path).unwrap();
        let record = (bytes.len() - MAGIC.len()) / 5;
        bytes[MAGIC.len() + record + 40] ^= 1;
        bytes.truncate(bytes.len() - 3);
        fs::write(&path, bytes).unwrap();
        let mut shelf = Shelf::open(folder.path(), "model:12ab", 3).unwrap();
        for n in 0..5 {
            let expected = (n != 1 && n != 4).then(|| embedding(n));
            assert_eq!(shelf.get(&key(&n.to_string())), expected, "{n}");
        }
        put(&mut shelf, 4..6);
        drop(shelf);
        let shelf = Shelf::open(folder.path(), "model:12ab", 3).unwrap();
        assert_eq!(shelf.get(&key("4")), Some(embedding(4)));
        assert_eq!(shelf.get(&key("5")), Some(embedding(5)));
    }

    #[test]
    fn another_encoder_or_form_has_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::open(folder.path(), "model:1", 3).unwrap();
        put(&mut shelf, 0..1);
        let other = Shelf::open(folder.path(), "model:2", 3).unwrap();
        assert_eq!(other.get(&key("0")), None);
        drop(shelf);
        fs::write(folder.path().join("model-1.embeddings"), "something else altogether").unwrap();
        let mut shelf = Shelf::open(folder.path(), "model:1", 3).unwrap();
        assert_eq!(shelf.get(&key("0")), None);
        put(&mut shelf, 0..1);
        assert_eq!(shelf.get(&key("0")), Some(embedding(0)));
    }
}
