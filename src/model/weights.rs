//! A checkpoint's tensors, read one at a time, so that nothing lies in memory twice.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use super::EncoderError;

/// Numbers that pass through memory at a time.
const SLAB: usize = 1 << 20;
/// The longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;
/// What some checkpoints write before every name.
const PREFIXES: [&str; 2] = ["bert.", "roberta."];

/// An open `model.safetensors`.
pub(super) struct Weights {
    path: PathBuf,
    file: File,
    entries: HashMap<String, Entry>,
    /// Where the data begins.
    data: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl Weights {
    pub(super) fn open(path: &Path) -> Result<Self, EncoderError> {
        let fault = |reason: String| EncoderError::file(path, reason);
        let read = || -> std::io::Result<(File, Vec<u8>)> {
            let mut file = File::open(path)?;
            let mut length = [0; 8];
            file.read_exact(&mut length)?;
            let length = u64::from_le_bytes(length);
            if length > LONGEST_HEADER {
                return Err(std::io::Error::other("no safetensors file"));
            }
            let mut header = vec![0; length as usize];
            file.read_exact(&mut header)?;
            Ok((file, header))
        };
        let (file, header) = read().map_err(|e| fault(e.to_string()))?;
        let parsed: HashMap<String, serde_json::Value> =
            serde_json::from_slice(&header).map_err(|e| fault(e.to_string()))?;
        let mut entries = HashMap::new();
        for (name, value) in parsed.into_iter().filter(|(name, _)| name != "__metadata__") {
            let entry: Entry =
                serde_json::from_value(value).map_err(|e| fault(format!("{name}: {e}")))?;
            let plain = PREFIXES.iter().find_map(|p| name.strip_prefix(p)).unwrap_or(&name);
            entries.insert(plain.to_owned(), entry);
        }
        let data = 8 + header.len() as u64;
        Ok(Self { path: path.to_owned(), file, entries, data })
    }

    /// A tensor's numbers, row by row, held to its shape.
    pub(super) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        let fault = |reason: String| EncoderError::file(&self.path, format!("{name}: {reason}"));
        let entry =
            self.entries.get(name).ok_or_else(|| fault("there is no such tensor".into()))?;
        if entry.shape != shape {
            return Err(fault(format!("its shape is {:?}, not {shape:?}", entry.shape)));
        }
        let dtype = match entry.dtype.as_str() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            other => return Err(fault(format!("its numbers are {other}, not F32, F16 or BF16"))),
        };
        let count: usize = shape.iter().product();
        let (from, to) = entry.data_offsets;
        if to.checked_sub(from) != Some((count * dtype.size_in_bytes()) as u64) {
            return Err(fault("its length does not fit its shape".to_owned()));
        }
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.data + from)).map_err(|e| fault(e.to_string()))?;
        let mut numbers = Vec::with_capacity(count);
        let mut bytes = Vec::new();
        while numbers.len() < count {
            let slab = SLAB.min(count - numbers.len());
            bytes.resize(slab * dtype.size_in_bytes(), 0);
            file.read_exact(&mut bytes).map_err(|e| fault(e.to_string()))?;
            let slab = Tensor::from_raw_buffer(&bytes, dtype, &[slab], &Device::Cpu)?;
            numbers.extend(slab.to_dtype(DType::F32)?.to_vec1::<f32>()?);
        }
        Ok(numbers)
    }
}
