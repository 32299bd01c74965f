//! A small language model from a GGUF file, on the processor: llama, qwen2 and qwen3 as
//! candle-transformers has them, with the tokenizer and the chat template of the file itself.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use candle_core::{Device, Tensor};
use candle_transformers::generation::LogitsProcessor;
use candle_transformers::models::{quantized_llama, quantized_qwen2, quantized_qwen3};
use minijinja::value::Value as Told;
use minijinja::{Environment, ErrorKind, State, context};

use super::quick::quickened;

/// Why a model could not be loaded or does not write.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The file is not there or cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no GGUF, or of a family that is not known here.
    #[error("{path}: {reason}")]
    Format {
        /// Which.
        path: String,
        /// What was expected.
        reason: String,
    },
    /// The forward pass failed.
    #[error("the language model failed: {0}")]
    Failed(String),
    /// The prompt is longer than the model reads.
    #[error("the prompt has {tokens} tokens, and the model reads {context}")]
    TooLong {
        /// Of the prompt, with room for an answer.
        tokens: usize,
        /// Of the model.
        context: usize,
    },
}

impl From<candle_core::Error> for WriterError {
    fn from(error: candle_core::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// What it says.
    pub content: String,
}

/// How a model writes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Tokens of an answer, at most.
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time.
    pub temperature: f64,
    /// The same seed writes the same answer.
    pub seed: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens of the answer.
    pub tokens: usize,
}

enum Net {
    Llama(quantized_llama::ModelWeights),
    Qwen2(quantized_qwen2::ModelWeights),
    Qwen3(quantized_qwen3::ModelWeights),
}

const FAMILIES: [&str; 3] = ["llama", "qwen2", "qwen3"];

impl Net {
    fn read(
        family: &str,
        content: Content,
        file: &mut (impl Read + Seek),
        device: &Device,
    ) -> candle_core::Result<Self> {
        Ok(match family {
            "llama" => {
                Self::Llama(quantized_llama::ModelWeights::from_gguf(content, file, device)?)
            }
            "qwen2" => {
                Self::Qwen2(quantized_qwen2::ModelWeights::from_gguf(content, file, device)?)
            }
            _ => Self::Qwen3(quantized_qwen3::ModelWeights::from_gguf(content, file, device)?),
        })
    }
}

/// A loaded model. One answer at a time.
pub struct LanguageModel {
    net: Net,
    tokenizer: tokenizers::Tokenizer,
    template: String,
    special: (String, String),
    stops: Vec<u32>,
    context: usize,
    bytes: u64,
    device: Device,
}

impl LanguageModel {
    /// Loads a GGUF file.
    ///
    /// # Errors
    /// It cannot be read, is no GGUF, or of another family than llama, qwen2 and qwen3.
    pub fn load(path: &Path) -> Result<Self, WriterError> {
        let shown = path.display().to_string();
        let file = |source| WriterError::File { path: shown.clone(), source };
        let format = |reason: String| WriterError::Format { path: shown.clone(), reason };
        let mut reader = File::open(path).map_err(file)?;
        let mut bytes = reader.metadata().map_err(file)?.len();
        let content = Content::read(&mut reader).map_err(|e| format(e.to_string()))?;
        let text = |key: &str| match content.metadata.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        };
        let number = |key: &str| content.metadata.get(key).and_then(|v| v.to_u32().ok());
        let family = text("general.architecture").unwrap_or_default();
        let tokenizer = tokenizers::Tokenizer::from_gguf(&content)
            .map_err(|e| format(format!("its tokenizer: {e}")))?;
        let template = text("tokenizer.chat_template")
            .ok_or_else(|| format("it has no chat template".to_owned()))?;
        let token = |key: &str| {
            let id = number(key)?;
            Some((id, tokenizer.id_to_token(id)?))
        };
        let (begin, end) =
            (token("tokenizer.ggml.bos_token_id"), token("tokenizer.ggml.eos_token_id"));
        let ends = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "</s>"];
        let mut stops: Vec<u32> = ends.iter().filter_map(|t| tokenizer.token_to_id(t)).collect();
        stops.extend(end.as_ref().map(|e| e.0));
        let context = number(&format!("{family}.context_length")).unwrap_or(2048) as usize;
        let device = Device::Cpu;
        if !FAMILIES.contains(&family.as_str()) {
            return Err(format(format!("expected one of {FAMILIES:?}, found {family:?}")));
        }
        let net = match quickened(&content, &mut reader) {
            Ok(None) => Net::read(&family, content, &mut reader, &device),
            Ok(Some(mut quick)) => {
                bytes = quick.get_ref().len() as u64;
                Content::read(&mut quick)
                    .and_then(|content| Net::read(&family, content, &mut quick, &device))
            }
            Err(error) => Err(error),
        };
        let net = net.map_err(|e| format(e.to_string()))?;
        let name = |token: Option<(u32, String)>| token.map(|t| t.1).unwrap_or_default();
        let special = (name(begin), name(end));
        Ok(Self { net, tokenizer, template, special, stops, context, bytes, device })
    }

    /// The model's length in memory: about what is read for each token.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Answers a conversation. `on_text` gets each piece as it is written and ends the answer by
    /// returning false.
    ///
    /// # Errors
    /// The prompt is too long, or the model failed.
    pub fn write(
        &mut self,
        chat: &[ChatMessage],
        sampling: Sampling,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Written, WriterError> {
        let failed = |e: &dyn std::fmt::Display| WriterError::Failed(e.to_string());
        let prompt = chat_prompt(&self.template, chat, &self.special).map_err(|e| failed(&e))?;
        let prompt = self.tokenizer.encode(prompt, false).map_err(|e| failed(&e))?;
        let prompt = prompt.get_ids().to_vec();
        let wanted = prompt.len() + sampling.max_tokens;
        if wanted > self.context {
            return Err(WriterError::TooLong { tokens: wanted, context: self.context });
        }
        if let Net::Qwen3(net) = &mut self.net {
            net.clear_kv_cache();
        }
        let mut choose = LogitsProcessor::new(sampling.seed, Some(sampling.temperature), None);
        let (mut next, mut at) = (prompt.clone(), 0);
        let (mut written, mut shown) = (Vec::new(), 0);
        while written.len() < sampling.max_tokens {
            let input = Tensor::new(next.as_slice(), &self.device)?.unsqueeze(0)?;
            // The first position empties what the llama and qwen2 nets remember.
            let logits = match &mut self.net {
                Net::Llama(net) => net.forward(&input, at)?,
                Net::Qwen2(net) => net.forward(&input, at)?,
                Net::Qwen3(net) => net.forward(&input, at)?,
            };
            at += next.len();
            let token = choose.sample(&logits.squeeze(0)?)?;
            if self.stops.contains(&token) {
                break;
            }
            written.push(token);
            next = vec![token];
            let text = self.tokenizer.decode(&written, true).map_err(|e| failed(&e))?;
            // Half a character is shown once the rest of it is there.
            if !text.ends_with('\u{fffd}') {
                let piece = text.get(shown..).unwrap_or_default();
                shown = text.len();
                if !piece.is_empty() && !on_text(piece) {
                    break;
                }
            }
        }
        Ok(Written { prompt_tokens: prompt.len(), tokens: written.len() })
    }
}

/// Renders a conversation by a model's own chat template.
fn chat_prompt(
    template: &str,
    chat: &[ChatMessage],
    special: &(String, String),
) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(1_000_000));
    environment.set_unknown_method_callback(python_method);
    environment.add_function("raise_exception", |message: String| -> Result<String, _> {
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    });
    let messages: Vec<Told> =
        chat.iter().map(|m| context! { role => m.role, content => m.content.clone() }).collect();
    let told = context! {
        messages => Told::from(messages),
        add_generation_prompt => true,
        enable_thinking => false,
        bos_token => special.0.clone(),
        eos_token => special.1.clone(),
    };
    environment.render_str(template, told)
}

/// What chat templates call on strings, as Python has it.
fn python_method(
    _: &mut State<'_, '_>,
    value: &Told,
    method: &str,
    arguments: &[Told],
) -> Result<Told, minijinja::Error> {
    let unknown = || minijinja::Error::from(ErrorKind::UnknownMethod);
    let text = value.as_str().ok_or_else(unknown)?;
    let first = arguments.first().and_then(Told::as_str);
    Ok(match (method, first) {
        ("strip", None) => Told::from(text.trim()),
        ("lstrip", None) => Told::from(text.trim_start()),
        ("rstrip", None) => Told::from(text.trim_end()),
        ("strip", Some(marks)) => Told::from(text.trim_matches(|c| marks.contains(c))),
        ("lstrip", Some(marks)) => Told::from(text.trim_start_matches(|c| marks.contains(c))),
        ("rstrip", Some(marks)) => Told::from(text.trim_end_matches(|c| marks.contains(c))),
        ("startswith", Some(start)) => Told::from(text.starts_with(start)),
        ("endswith", Some(end)) => Told::from(text.ends_with(end)),
        ("split", Some(mark)) if !mark.is_empty() => {
            Told::from(text.split(mark).map(Told::from).collect::<Vec<_>>())
        }
        ("upper", None) => Told::from(text.to_uppercase()),
        ("lower", None) => Told::from(text.to_lowercase()),
        _ => return Err(unknown()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_template_is_rendered_as_python_would() {
        let template = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'].strip() }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
        let chat = [ChatMessage { role: "user", content: " hello ".to_owned() }];
        let prompt = chat_prompt(template, &chat, &(String::new(), String::new())).unwrap();
        assert_eq!(prompt, "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
        let refused =
            chat_prompt("{{ raise_exception('no') }}", &chat, &(String::new(), String::new()));
        assert!(refused.is_err());
    }

    #[test]
    fn what_is_no_model_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        assert!(matches!(LanguageModel::load(&path), Err(WriterError::File { .. })));
        std::fs::write(&path, b"GGML nonsense").unwrap();
        assert!(matches!(LanguageModel::load(&path), Err(WriterError::Format { .. })));
    }
}
