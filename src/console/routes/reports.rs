//! Back-tests of exports.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::multipart::{Field, Multipart, MultipartRejection};
use axum::extract::{Extension, Path};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::access::same_secret;
use crate::console::desk::{Answer, Fields, Page, Posted, see_other, wants_json};
use crate::console::pages::reports::Said;
use crate::console::pages::{self, Visit};
use crate::domain::ReportId;
use crate::exports::ColumnMap;
use crate::http::{ApiError, Desk, ErrorCode, is_from_our_page, may};
use crate::judge::doctor::{worklist, worklist_csv};
use crate::judge::report::{Report, html, policy};
use crate::reports::{Asked, Reports, Upload, UploadError};
use crate::triage::TriageError;

/// How long a sender may pause.
const PAUSE: Duration = Duration::from_secs(30);
/// Longest field beside the file.
const LONGEST: usize = 4096;

type Service = Extension<Arc<Reports>>;

/// What a desk has, as it stands now.
async fn page(
    desk: &Desk<may::Lead>,
    visit: &Visit,
    reports: &Reports,
    said: &Said<'_>,
) -> Result<maud::Markup, Response> {
    let limits = reports.limits();
    let known = desk.triage.store().reports(&desk.caller.workspace, limits.keep).await;
    let known = known.map_err(|error| visit.fail(TriageError::from(error)))?;
    let known: Vec<_> = known.into_iter().map(|report| report.as_of(visit.now)).collect();
    Ok(pages::reports::list(visit, &known, limits, said))
}

pub(super) async fn list(
    headers: HeaderMap,
    uri: Uri,
    Extension(reports): Service,
    Page { desk, visit }: Page<may::Lead>,
) -> Answer {
    let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let said = Said { deleted: fields.get("deleted") == "1", refused: None };
    Ok(Visit::html(&headers, page(&desk, &visit, &reports, &said).await?))
}

pub(super) async fn show(
    headers: HeaderMap,
    Path(name): Path<String>,
    Extension(reports): Service,
    Page { desk, visit }: Page<may::Lead>,
) -> Answer {
    let id = id(&name).map_err(|error| visit.fail(error))?;
    let found = desk.triage.store().report(&desk.caller.workspace, id).await;
    let found = found.map_err(|error| visit.fail(TriageError::from(error)))?;
    let report = found.ok_or_else(|| visit.fail(ErrorCode::NotFound))?.as_of(visit.now);
    let progress = reports.progress(id);
    let shown = pages::reports::one(&visit, &report, progress.as_ref(), reports.limits());
    Ok(Visit::html(&headers, shown))
}

/// Takes an export in, piece by piece, and goes on to its progress.
pub(super) async fn send(
    headers: HeaderMap,
    Extension(reports): Service,
    Page { desk, visit }: Page<may::Lead>,
    form: Result<Multipart, MultipartRejection>,
) -> Answer {
    let received = async {
        if !is_from_our_page(&headers) {
            return Err(ApiError::from(ErrorCode::CsrfMismatch).detail("the form is not from here"));
        }
        let form = form.map_err(|_| ErrorCode::UnsupportedMediaType)?;
        let (upload, asked) = receive(&reports, form, &visit).await?;
        Ok(reports.enqueue(&desk.triage, desk.caller.clone(), upload, asked).await?)
    };
    let error = match received.await {
        Ok(report) if wants_json(&headers) => {
            let answer = axum::Json(json!({ "place": format!("/reports/{}", report.id) }));
            return Ok((StatusCode::ACCEPTED, answer).into_response());
        }
        Ok(report) => return Ok(see_other(&format!("/reports/{}", report.id))),
        Err(error) => error,
    };
    if wants_json(&headers) {
        return Err(error.into_response());
    }
    if error.code() == ErrorCode::CsrfMismatch {
        return Err(visit.fail(error));
    }
    if let Some(cause) = error.cause() {
        tracing::error!(code = error.code().code(), cause, "an upload was not taken in");
    }
    let refused = error.what().unwrap_or(error.code().title());
    let said = Said { deleted: false, refused: Some(refused) };
    let shown = page(&desk, &visit, &reports, &said).await?;
    let mut response = Visit::html(&HeaderMap::new(), shown);
    *response.status_mut() = error.code().status();
    Err(response)
}

/// Reads the form: its token first, then the file as it comes.
async fn receive(
    reports: &Reports,
    mut form: Multipart,
    visit: &Visit,
) -> Result<(Upload, Asked), ApiError> {
    let (mut upload, mut asked, mut token) = (None, Asked::default(), String::new());
    while let Some(field) = in_time(form.next_field()).await? {
        match field.name().unwrap_or_default() {
            "file" => {
                if !visit.csrf.is_empty() && !same_secret(&token, &visit.csrf) {
                    return Err(ErrorCode::CsrfMismatch.into());
                }
                asked.file = file_name(field.file_name().unwrap_or_default());
                upload = Some(file(reports, field).await?);
            }
            "csrf" => token = text(field).await?,
            "map" => asked.map = text(field).await?,
            "label" => asked.labels.push(text(field).await?),
            "dates" => {
                let order = text(field).await?;
                let read = (!order.is_empty()).then(|| order.parse()).transpose();
                asked.dates = read.map_err(refused)?;
            }
            "sheet" => asked.sheet = Some(text(field).await?).filter(|sheet| !sheet.is_empty()),
            _ => {}
        }
    }
    asked.map.parse::<ColumnMap>().map_err(|error| refused(format!("--map {error}")))?;
    let upload = upload.filter(|_| !asked.file.is_empty());
    Ok((upload.ok_or_else(|| refused(visit.words.reports.no_file.to_owned()))?, asked))
}

async fn file(reports: &Reports, mut field: Field<'_>) -> Result<Upload, ApiError> {
    let mut upload = reports.receive()?;
    while let Some(piece) = in_time(field.chunk()).await? {
        upload.push(&piece).await?;
    }
    Ok(upload)
}

async fn text(mut field: Field<'_>) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = in_time(field.chunk()).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > LONGEST {
            return Err(refused(format!("a field beside the file has at most {LONGEST} bytes")));
        }
    }
    // Databases cannot keep NUL.
    Ok(String::from_utf8_lossy(&bytes).replace('\0', "").trim().to_owned())
}

/// Waits for the next part of a form for so long, and no longer.
async fn in_time<T>(
    next: impl Future<Output = Result<T, axum::extract::multipart::MultipartError>>,
) -> Result<T, ApiError> {
    let unreadable = || ApiError::from(ErrorCode::BodyUnreadable);
    match tokio::time::timeout(PAUSE, next).await {
        Ok(read) => read.map_err(|error| unreadable().source(&error)),
        Err(_) => Err(unreadable().detail(format!("nothing came for {} s", PAUSE.as_secs()))),
    }
}

fn refused(what: String) -> ApiError {
    ApiError::from(ErrorCode::InvalidField).detail(what)
}

/// A file's name as it is kept: without folders and signs that nobody sees.
fn file_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(200).collect::<String>().trim().to_owned()
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let told = |code: ErrorCode| Self::from(code).detail(error.to_string());
        match error {
            UploadError::Busy => told(ErrorCode::Overloaded).retry_after(60),
            UploadError::Stopped => told(ErrorCode::Unavailable),
            UploadError::TooLarge(_) => told(ErrorCode::BodyTooLarge),
            UploadError::Empty => told(ErrorCode::InvalidField),
            UploadError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                Self::from(ErrorCode::StorageFull)
            }
            UploadError::Io(error) => Self::from(ErrorCode::Unavailable).source(&error),
            UploadError::Triage(error) => error.into(),
        }
    }
}

pub(super) async fn cancel(
    Path(name): Path<String>,
    Extension(reports): Service,
    posted: Posted<may::Lead>,
) -> Answer {
    let Page { desk, visit } = posted.page;
    let id = id(&name).map_err(|error| visit.fail(error))?;
    let cancelled = reports.cancel(&desk.triage, &desk.caller, id).await;
    cancelled.map_err(|error| visit.fail(error))?;
    Ok(see_other(&format!("/reports/{id}")))
}

pub(super) async fn delete(
    Path(name): Path<String>,
    Extension(reports): Service,
    posted: Posted<may::Lead>,
) -> Answer {
    let Page { desk, visit } = posted.page;
    let id = id(&name).map_err(|error| visit.fail(error))?;
    let deleted = reports.delete(&desk.triage, &desk.caller, id).await;
    deleted.map_err(|error| visit.fail(error))?;
    Ok(see_other("/reports?deleted=1"))
}

/// The report itself, under its own policy: its one script and nothing else, and as a stranger to
/// this site, so that whatever went wrong in it could do nothing here.
pub(super) async fn read(
    Path(name): Path<String>,
    Page { desk, visit }: Page<may::Lead>,
) -> Answer {
    let (_, report) = stored(&desk, &visit, &name).await?;
    let policy = format!("{}; frame-ancestors 'none'; sandbox allow-scripts", policy());
    let mut response = drawn(&visit, report).await?;
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// The same, and what belongs to it, to be kept elsewhere.
pub(super) async fn download(
    Path((name, file)): Path<(String, String)>,
    Page { desk, visit }: Page<may::Lead>,
) -> Answer {
    let (json, report) = stored(&desk, &visit, &name).await?;
    let (kind, mut response) = match file.as_str() {
        "report.html" => ("text/html; charset=utf-8", drawn(&visit, report).await?),
        "report.json" => ("application/json", json.into_response()),
        "worklist.csv" => {
            let works = report.fields.iter().flat_map(|f| worklist(&f.field.name, &f.doctor));
            let works: Vec<_> = works.collect();
            ("text/csv; charset=utf-8", worklist_csv(&works).into_response())
        }
        _ => return Err(visit.fail(ErrorCode::NotFound)),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(kept) = HeaderValue::try_from(format!("attachment; filename=\"{file}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, kept);
    }
    Ok(response)
}

async fn drawn(visit: &Visit, report: Report) -> Result<Response, Response> {
    // A page of some hundred kilobytes, away from the threads that serve requests.
    let drawn = tokio::task::spawn_blocking(move || html(&report)).await;
    let unwell = |error: &dyn std::fmt::Display| {
        visit.fail(ApiError::from(ErrorCode::Internal).source(error))
    };
    let page = drawn.map_err(|e| unwell(&e))?.map_err(|e| unwell(&e))?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}

/// A report that is done: as JSON, and read.
async fn stored(
    desk: &Desk<may::Lead>,
    visit: &Visit,
    name: &str,
) -> Result<(String, Report), Response> {
    let id = id(name).map_err(|error| visit.fail(error))?;
    let content = desk.triage.store().report_content(&desk.caller.workspace, id).await;
    let content = content.map_err(|error| visit.fail(TriageError::from(error)))?;
    let content = content.ok_or_else(|| visit.fail(ErrorCode::NotFound))?;
    let report = serde_json::from_str(&content).map_err(|error| {
        let older = "this report was made by another version; upload the export again";
        visit.fail(ApiError::from(ErrorCode::Internal).detail(older).source(&error))
    })?;
    Ok((content, report))
}

/// The report that a path names.
fn id(name: &str) -> Result<ReportId, ErrorCode> {
    name.parse().map_err(|_| ErrorCode::NotFound)
}
