//! Requests in a line each.

use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request};
use deskhand::domain::{Scope, WorkspaceId};
use serde_json::{Value, json};
use sqlx::{Connection, Row, SqliteConnection};

use super::Desk;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// A header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The JSON of an answer that must be one.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Status and code of an answer that must be a problem document; its other parts are checked.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

impl Desk {
    /// A key to a workspace, new each time, as `Authorization` has it.
    pub(crate) async fn key(&self, workspace: &str, scope: Scope) -> String {
        let workspace = WorkspaceId::try_from(workspace.to_owned()).unwrap();
        let name = format!("{workspace} {scope}");
        let made = self.accounts.create_key(workspace, name, vec![scope], None).await.unwrap();
        format!("Bearer {}", made.1)
    }

    /// Sends a request; JSON `null` is no body.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        };
        self.raw(request.body(body).unwrap()).await
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> Reply {
        let response = self.send(request).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Reply { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], &Value::Null).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.ask("DELETE", path, &[], &Value::Null).await
    }

    pub(crate) async fn post_to(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, &[], body).await
    }

    /// Decides about an answer of triage.
    pub(crate) async fn decide(&self, suggestion: &Value, decision: &Value) -> Reply {
        let id = suggestion["id"].as_str().unwrap();
        self.post_to(&format!("/v1/suggestions/{id}/decision"), decision).await
    }

    /// Says how an answer's ticket was resolved.
    pub(crate) async fn resolve(&self, suggestion: &Value, resolution: &str) -> Reply {
        let id = suggestion["ticket_id"].as_str().unwrap();
        let body = json!({ "resolution": resolution });
        self.post_to(&format!("/v1/tickets/{id}/resolution"), &body).await
    }

    /// Adds a category, with a team of its own, to the desk's labels.
    pub(crate) async fn add_category(&self, category: &str, team: &str) {
        let mut taxonomy = self.get("/v1/taxonomy").await.ok();
        let fields = taxonomy.as_object_mut().unwrap();
        let known = |field: &Value, label: &str| {
            field.as_array().unwrap().iter().any(|l| l["label"] == label)
        };
        if !known(&fields["teams"], team) {
            fields["teams"].as_array_mut().unwrap().push(json!({ "label": team }));
        }
        let added = json!({ "label": category, "team": team });
        fields["categories"].as_array_mut().unwrap().push(added);
        self.ask("PUT", "/v1/taxonomy", &[], &taxonomy).await.ok();
    }

    /// The first column of a query's rows, past every layer: what really stands in the database.
    pub(crate) async fn rows(&self, sql: &'static str) -> Vec<String> {
        let url = format!("sqlite://{}", self.folder.path().join("deskhand.sqlite3").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Changes the database behind the store's back.
    pub(crate) async fn run_sql(&self, sql: &'static str) {
        let url = format!("sqlite://{}", self.folder.path().join("deskhand.sqlite3").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// The files of the data folder in which these bytes stand.
    pub(crate) fn files_with(&self, needle: &str) -> Vec<String> {
        files_with(self.folder.path(), needle.as_bytes())
    }
}

fn files_with(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if std::fs::read(&path).unwrap().windows(needle.len()).any(|w| w == needle) {
            found.push(path.display().to_string());
        }
    }
    found
}
