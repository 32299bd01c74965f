//! Version 1 of the API, one resource a file.

pub(super) mod triage;
