//! Failing on purpose.

use std::path::PathBuf;
use std::time::Duration;

use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

/// The statuses that a test may ask for by name.
const STATUSES: [(&str, Code); 7] = [
    ("UNAVAILABLE", Code::Unavailable),
    ("RESOURCE_EXHAUSTED", Code::ResourceExhausted),
    ("DEADLINE", Code::DeadlineExceeded),
    ("INTERNAL", Code::Internal),
    ("INVALID_ARGUMENT", Code::InvalidArgument),
    ("PERMISSION_DENIED", Code::PermissionDenied),
    ("NOT_FOUND", Code::NotFound),
];

/// What makes calls fail.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) refuse_file: Option<PathBuf>,
    pub(crate) api_key: Option<String>,
}

impl Faults {
    /// Lets a call pass, or says what it fails with.
    pub(crate) async fn check(&self, metadata: &MetadataMap) -> Result<(), Status> {
        if let Some(key) = &self.api_key {
            let given = metadata.get("api-key").and_then(|value| value.to_str().ok());
            if given != Some(key) {
                return Err(Status::unauthenticated("Must provide an API key"));
            }
        }
        let Some(order) = self.refuse_file.as_ref().and_then(|p| std::fs::read_to_string(p).ok())
        else {
            return Ok(());
        };
        let mut words = order.split_whitespace();
        let name = words.next().unwrap_or_default();
        let number = words.next().and_then(|n| n.parse().ok());
        let Some((_, code)) = STATUSES.iter().find(|(known, _)| *known == name) else {
            return Err(Status::internal(format!("the refuse file names no status: {order:?}")));
        };
        let mut status = Status::new(*code, "refused for a test");
        match (code, number) {
            // The real server sends whole seconds under this name.
            (Code::ResourceExhausted, Some(seconds)) => {
                status.metadata_mut().insert("retry-after", u64::into(seconds));
            }
            (Code::DeadlineExceeded, milliseconds) => {
                tokio::time::sleep(Duration::from_millis(milliseconds.unwrap_or(60_000))).await;
            }
            _ => {}
        }
        Err(status)
    }
}
