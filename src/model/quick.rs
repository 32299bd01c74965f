//! Models whose blocks candle multiplies number by number, in blocks that it has SIMD for.

use std::io::{Cursor, Read, Seek, SeekFrom};

use candle_core::Device;
use candle_core::quantized::gguf_file::{self, Content};
use candle_core::quantized::{GgmlDType, QTensor};

/// Blocks without a SIMD kernel in candle, some ten times slower than `Q8_0`.
const SLOW: [GgmlDType; 4] = [GgmlDType::Q4_1, GgmlDType::Q5_0, GgmlDType::Q5_1, GgmlDType::Q8_1];

/// The same model with slow blocks as `Q8_0`, whose steps are finer than theirs, or none where the
/// file has no slow blocks. It is a whole file in memory, up to twice as long: the models read
/// nothing else.
///
/// # Errors
/// The file ends too early.
pub(super) fn quickened(
    content: &Content,
    file: &mut (impl Read + Seek),
) -> candle_core::Result<Option<Cursor<Vec<u8>>>> {
    if !content.tensor_infos.values().any(|info| SLOW.contains(&info.ggml_dtype)) {
        return Ok(None);
    }
    let mut tensors = Vec::with_capacity(content.tensor_infos.len());
    for name in content.tensor_infos.keys() {
        let read = content.tensor(file, name, &Device::Cpu)?;
        let quick = if SLOW.contains(&read.dtype()) {
            QTensor::quantize(&read.dequantize(&Device::Cpu)?, GgmlDType::Q8_0)?
        } else {
            read
        };
        tensors.push((name.as_str(), quick));
    }
    // The vocabulary is read from the file itself, and what is written has an alignment of its own.
    let told = |key: &str| !key.starts_with("tokenizer.") && key != "general.alignment";
    let metadata: Vec<_> = content
        .metadata
        .iter()
        .filter(|(key, _)| told(key))
        .map(|(k, v)| (k.as_str(), v))
        .collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    let mut written = Cursor::new(Vec::new());
    gguf_file::write(&mut written, &metadata, &tensors)?;
    written.seek(SeekFrom::Start(0))?;
    Ok(Some(written))
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;
    use candle_core::quantized::gguf_file::Value;

    use super::*;

    fn written(kind: GgmlDType) -> (Cursor<Vec<u8>>, Tensor) {
        let numbers: Vec<f32> = (0..512u16).map(|n| f32::from(n % 97) / 97.0 - 0.4).collect();
        let tensor = Tensor::from_vec(numbers, (8, 64), &Device::Cpu).unwrap();
        let quantized = QTensor::quantize(&tensor, kind).unwrap();
        let mut file = Cursor::new(Vec::new());
        let depth = Value::U32(7);
        let told = [("llama.block_count", &depth), ("general.alignment", &Value::U32(32))];
        gguf_file::write(&mut file, &told, &[("w", &quantized)]).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        (file, quantized.dequantize(&Device::Cpu).unwrap())
    }

    #[test]
    fn slow_blocks_keep_their_numbers() {
        for kind in SLOW.into_iter().filter(|kind| *kind != GgmlDType::Q8_1) {
            let (mut file, before) = written(kind);
            let content = Content::read(&mut file).unwrap();
            let mut quick = quickened(&content, &mut file).unwrap().unwrap();
            let content = Content::read(&mut quick).unwrap();
            assert_eq!(content.metadata["llama.block_count"].to_u32().unwrap(), 7);
            let after = content.tensor(&mut quick, "w", &Device::Cpu).unwrap();
            assert_eq!(after.dtype(), GgmlDType::Q8_0);
            let after = after.dequantize(&Device::Cpu).unwrap();
            let apart = (before - after).unwrap().abs().unwrap().max_all().unwrap();
            assert!(apart.to_scalar::<f32>().unwrap() < 0.003, "{kind:?}: {apart}");
        }
    }

    #[test]
    fn quick_blocks_stay() {
        let (mut file, _) = written(GgmlDType::Q8_0);
        let content = Content::read(&mut file).unwrap();
        assert!(quickened(&content, &mut file).unwrap().is_none());
    }
}
