//! Everything learned of a desk, as a folder: a manifest and one safetensors file a field.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::calibrator::Calibrator;
use super::field::FieldModel;
use super::lexical::Vocabulary;
use super::novelty::{Novelty, SIGNS};
use super::promise::Promises;
use super::sparse::SparsePlanes;
use super::stack::Stack;
use super::views::{VIEWS, Views};
use super::wording::WordingPlanes;
use crate::domain::ids::hex;
use crate::judge::Estimate;

/// The layout of the files; raised when they are read differently.
pub const FORMAT: u32 = 4;
/// The manifest's file name.
pub const MANIFEST: &str = "bundle.json";

/// What a bundle is and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleManifest {
    /// The layout of the files.
    pub format: u32,
    /// The fingerprint of the encoder whose vectors it reads.
    pub encoder: String,
    /// The taxonomy's name and version, where it was fitted to one.
    pub taxonomy: Option<String>,
    /// SHA-256 of what it was fitted on.
    pub data: String,
    /// How that was split.
    pub split: String,
    /// The seed of all that is left to chance.
    pub seed: u64,
    /// What it was asked to keep.
    pub target_precision: f64,
    /// One a label field.
    pub fields: BTreeMap<String, FieldManifest>,
}

/// One field of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldManifest {
    /// The weights' file name.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// The labels, by class.
    pub classes: Vec<String>,
    /// Tickets of each class.
    pub support: Vec<u32>,
    /// On tickets that the model had not seen; absent where there were too few.
    pub metrics: Option<FieldMetrics>,
}

/// What held-out tickets say of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldMetrics {
    /// Held-out tickets.
    pub n: usize,
    /// The share whose likeliest label was right.
    pub accuracy: Estimate,
    /// The least probability that is applied at the target precision; absent: none is.
    pub threshold: Option<f32>,
    /// The share of the next 1,000 tickets that will be applied.
    pub coverage: Estimate,
    /// The share of applied labels that was right.
    pub precision: Estimate,
}

/// A bundle in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// What it is.
    pub manifest: BundleManifest,
    /// The models, by the field's name.
    pub fields: BTreeMap<String, FieldModel>,
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file could not be read or written.
    #[error("{file}: {source}")]
    File {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what the manifest says.
    #[error("{file}: {reason}")]
    Content {
        /// Which.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It was made for another encoder.
    #[error("the bundle reads vectors of the encoder {bundle}, and {service} is running")]
    Encoder {
        /// The bundle's.
        bundle: String,
        /// The one that is running.
        service: String,
    },
}

impl Bundle {
    /// The bundle's name in every answer: the beginning of its manifest's hash, so that two with
    /// the same name are the same.
    ///
    /// # Errors
    /// Never, for a manifest that this program has made or read.
    pub fn id(&self) -> String {
        let mut manifest = self.manifest.clone();
        // They follow from the rest, and a decimal may be read back a little differently.
        manifest.fields.values_mut().for_each(|field| field.metrics = None);
        let manifest = serde_json::to_vec(&manifest).unwrap_or_default();
        hex(&Sha256::digest(manifest))[..16].to_owned()
    }

    /// Puts models into a bundle; files and hashes are filled in.
    pub fn new(mut manifest: BundleManifest, fields: BTreeMap<String, FieldModel>) -> Self {
        manifest.format = FORMAT;
        manifest.fields = fields
            .iter()
            .map(|(name, model)| {
                let answers = model.promises.answers();
                let n = answers.len();
                let right = answers.filter(|a| a.1).count();
                let promise = model.promises.at(manifest.target_precision);
                let metrics = (n > 0).then(|| FieldMetrics {
                    n,
                    accuracy: crate::judge::Share { successes: right, trials: n }.estimate(),
                    threshold: promise.threshold,
                    coverage: promise.coverage,
                    precision: promise.precision,
                });
                let field = FieldManifest {
                    file: format!("{name}.safetensors"),
                    sha256: hex(&Sha256::digest(weights(model))),
                    classes: model.classes.clone(),
                    support: model.support.clone(),
                    metrics,
                };
                (name.clone(), field)
            })
            .collect();
        Self { manifest, fields }
    }

    /// Writes the bundle into a folder, which is made; the manifest last, so that a folder with a
    /// manifest is whole.
    ///
    /// # Errors
    /// A file could not be written.
    pub fn save(&self, folder: &Path) -> Result<(), BundleError> {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            let fault = |source| BundleError::File { file: path.display().to_string(), source };
            let part = path.with_extension("part");
            std::fs::write(&part, bytes)
                .and_then(|()| std::fs::File::open(&part)?.sync_all())
                .and_then(|()| std::fs::rename(&part, &path))
                .map_err(fault)
        };
        std::fs::create_dir_all(folder)
            .map_err(|source| BundleError::File { file: folder.display().to_string(), source })?;
        for (name, model) in &self.fields {
            write(&format!("{name}.safetensors"), &weights(model))?;
        }
        let mut manifest = serde_json::to_vec_pretty(&self.manifest).map_err(|e| {
            BundleError::Content { file: MANIFEST.to_owned(), reason: e.to_string() }
        })?;
        manifest.push(b'\n');
        write(MANIFEST, &manifest)
    }

    /// Reads and checks a bundle for vectors of the encoder with this fingerprint.
    ///
    /// # Errors
    /// A file is missing or not what the manifest says, or the bundle is for another encoder.
    pub fn load(folder: &Path, encoder: &str) -> Result<Self, BundleError> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path)
                .map_err(|source| BundleError::File { file: path.display().to_string(), source })
        };
        let wrong = |file: &str, reason: String| BundleError::Content {
            file: folder.join(file).display().to_string(),
            reason,
        };
        let manifest: BundleManifest =
            serde_json::from_slice(&read(MANIFEST)?).map_err(|e| wrong(MANIFEST, e.to_string()))?;
        if manifest.format != FORMAT {
            let reason = format!("format {}; this version reads {FORMAT}", manifest.format);
            return Err(wrong(MANIFEST, reason));
        }
        if manifest.encoder != encoder {
            let (bundle, service) = (manifest.encoder, encoder.to_owned());
            return Err(BundleError::Encoder { bundle, service });
        }
        let mut fields = BTreeMap::new();
        for (name, field) in &manifest.fields {
            if Path::new(&field.file).file_name() != Some(field.file.as_ref()) {
                return Err(wrong(MANIFEST, format!("{:?} is no file name", field.file)));
            }
            let bytes = read(&field.file)?;
            let hash = hex(&Sha256::digest(&bytes));
            if hash != field.sha256 {
                let reason = format!("its SHA-256 is {hash}, the manifest says {}", field.sha256);
                return Err(wrong(&field.file, reason));
            }
            let model = model(&bytes, field).map_err(|reason| wrong(&field.file, reason))?;
            fields.insert(name.clone(), model);
        }
        Ok(Self { manifest, fields })
    }
}

/// The model's numbers as a safetensors file.
fn weights(model: &FieldModel) -> Vec<u8> {
    let floats = |v: &[f32]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let small =
        |v: &mut dyn Iterator<Item = u16>| v.flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (hashes, rarity) = model.views.vocabulary.parts();
    let (mut confidence, mut correct, mut predicted) = (Vec::new(), Vec::new(), Vec::new());
    for (p, right, class) in model.promises.answers() {
        confidence.push(p);
        correct.push(u8::from(right));
        predicted.push(class as u16);
    }
    let mut rest = model.stack.weights.to_vec();
    rest.extend(model.calibrator.0);
    rest.extend(model.novelty.weights);
    rest.push(model.novelty.threshold);
    let parts: [(&str, Dtype, Vec<u8>); 14] = [
        ("centres", Dtype::F32, floats(&model.views.centres)),
        ("planes", Dtype::F32, floats(&model.views.planes)),
        ("planes.bias", Dtype::F32, floats(&model.views.bias)),
        ("joint", Dtype::F32, floats(&model.views.joint)),
        ("wording", Dtype::F32, floats(&model.views.wording.planes)),
        ("wording.bias", Dtype::F32, floats(&model.views.wording.bias)),
        ("wording.common", Dtype::F32, floats(&model.views.wording.common)),
        ("terms", Dtype::U32, hashes.iter().flat_map(|h| h.to_le_bytes()).collect()),
        ("terms.rarity", Dtype::F32, floats(rarity)),
        ("stack.bias", Dtype::F32, floats(&model.stack.bias)),
        ("numbers", Dtype::F32, floats(&rest)),
        ("answers.confidence", Dtype::F32, floats(&confidence)),
        ("answers.predicted", Dtype::U16, small(&mut predicted.into_iter())),
        ("answers.correct", Dtype::U8, correct),
    ];
    let mut parts: Vec<(String, Dtype, Vec<u8>)> =
        parts.into_iter().map(|(name, kind, bytes)| (name.to_owned(), kind, bytes)).collect();
    for (name, planes) in [("words", &model.views.lexical), ("joint.words", &model.views.beside)] {
        let starts = planes.starts.iter().flat_map(|s| s.to_le_bytes()).collect();
        let classes = small(&mut planes.classes.iter().copied());
        parts.push((format!("{name}.starts"), Dtype::U32, starts));
        parts.push((format!("{name}.classes"), Dtype::U16, classes));
        parts.push((format!("{name}.weights"), Dtype::F32, floats(&planes.weights)));
        parts.push((format!("{name}.bias"), Dtype::F32, floats(&planes.bias)));
    }
    let mut views: Vec<(&str, TensorView<'_>)> = Vec::new();
    for (name, kind, bytes) in &parts {
        let size = bytes.len() * 8 / kind.bitsize();
        views.extend(TensorView::new(*kind, vec![size], bytes).map(|view| (name.as_str(), view)));
    }
    safetensors::serialize(views, None).unwrap_or_default()
}

/// A model from its file; `Err` says what does not fit.
fn model(bytes: &[u8], field: &FieldManifest) -> Result<FieldModel, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let raw = |name: &str, kind: Dtype| {
        let tensor = file.tensor(name).map_err(|e| format!("{name}: {e}"))?;
        if tensor.dtype() == kind {
            Ok(tensor.data().to_vec())
        } else {
            Err(format!("{name} is of type {:?}, expected {kind:?}", tensor.dtype()))
        }
    };
    let floats = |name: &str| -> Result<Vec<f32>, String> {
        let bytes = raw(name, Dtype::F32)?;
        let values: Vec<f32> =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if values.iter().all(|v| v.is_finite()) {
            Ok(values)
        } else {
            Err(format!("{name} holds values that are no numbers"))
        }
    };
    let small = |name: &str| -> Result<Vec<u16>, String> {
        Ok(raw(name, Dtype::U16)?
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
            .collect())
    };
    let whole = |name: &str| -> Result<Vec<u32>, String> {
        Ok(raw(name, Dtype::U32)?
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect())
    };
    let planes = |name: &str| -> Result<SparsePlanes, String> {
        Ok(SparsePlanes {
            starts: whole(&format!("{name}.starts"))?,
            classes: small(&format!("{name}.classes"))?,
            weights: floats(&format!("{name}.weights"))?,
            bias: floats(&format!("{name}.bias"))?,
        })
    };
    let vocabulary = Vocabulary::from_parts(whole("terms")?, floats("terms.rarity")?)
        .ok_or("its terms are out of order")?;
    let views = Views {
        centres: floats("centres")?,
        planes: floats("planes")?,
        bias: floats("planes.bias")?,
        lexical: planes("words")?,
        joint: floats("joint")?,
        beside: planes("joint.words")?,
        wording: WordingPlanes {
            planes: floats("wording")?,
            bias: floats("wording.bias")?,
            common: floats("wording.common")?,
        },
        vocabulary,
    };
    let (bias, numbers) = (floats("stack.bias")?, floats("numbers")?);
    let (confidence, predicted) = (floats("answers.confidence")?, small("answers.predicted")?);
    let correct = raw("answers.correct", Dtype::U8)?;
    let classes = field.classes.len();
    let together = |planes: &SparsePlanes| planes.fit_together(views.vocabulary.len(), classes);
    let fits = classes > 0
        && field.support.len() == classes
        && views.bias.len() == classes
        && bias.len() == classes
        && views.centres.len() == views.planes.len()
        && views.centres.len() == views.joint.len()
        && views.centres.len().is_multiple_of(classes)
        && views.wording.bias.len() == classes
        && views.wording.planes.len() == classes * views.wording.common.len()
        && together(&views.beside)
        && together(&views.lexical)
        && predicted.iter().all(|c| usize::from(*c) < classes)
        && numbers.len() == VIEWS + 3 + SIGNS + 1 + 1
        && numbers[VIEWS] >= 0.0
        && numbers[VIEWS + 1] >= 0.0
        && confidence.len() == predicted.len()
        && confidence.len() == correct.len();
    if !fits {
        return Err("its tensors do not fit together".to_owned());
    }
    let answers = confidence.iter().zip(&correct).zip(&predicted);
    let answers = answers.map(|((p, right), class)| (*p, *right == 1, usize::from(*class)));
    Ok(FieldModel {
        classes: field.classes.clone(),
        support: field.support.clone(),
        stack: Stack { weights: std::array::from_fn(|v| numbers[v]), bias },
        calibrator: Calibrator(std::array::from_fn(|at| numbers[VIEWS + at])),
        novelty: Novelty {
            weights: std::array::from_fn(|s| numbers[VIEWS + 3 + s]),
            threshold: numbers[VIEWS + 4 + SIGNS],
        },
        promises: Promises::new(answers.collect()),
        views,
    })
}
