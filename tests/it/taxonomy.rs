//! `/v1/taxonomy`: a desk's labels, and what becomes of tickets when they change.

use deskhand::inference::{Inference, InferenceError, Lane};
use deskhand::triage::TriageError;
use serde_json::{Value, json};

use crate::support::{Desk, Reply, Setup, load, small_history};

async fn put(desk: &Desk, headers: &[(&str, &str)], taxonomy: &Value) -> Reply {
    desk.ask("PUT", "/v1/taxonomy", headers, taxonomy).await
}

/// Nine tickets: three each of VPN, Printing, Password reset.
async fn desk() -> (Desk, Value) {
    let desk = Desk::with(&small_history()).await;
    let taxonomy = desk.get("/v1/taxonomy").await.ok();
    (desk, taxonomy)
}

fn without(taxonomy: &Value, category: &str) -> Value {
    let mut taxonomy = taxonomy.clone();
    taxonomy["categories"].as_array_mut().unwrap().retain(|c| c["label"] != category);
    taxonomy
}

#[tokio::test]
async fn a_desk_without_labels_of_its_own_has_the_built_in_ones() {
    let desk = Desk::new().await;
    let read = desk.get("/v1/taxonomy").await;
    assert_eq!(read.header("etag"), "\"1\"");
    let mut taxonomy = read.ok();
    assert!(taxonomy["categories"].as_array().unwrap().len() >= 30);
    taxonomy["name"] = json!("ours");
    let saved = put(&desk, &[("if-match", "\"1\"")], &taxonomy).await;
    assert_eq!(saved.header("etag"), "\"2\"");
    let saved = saved.ok();
    assert_eq!((&saved["name"], &saved["version"]), (&json!("ours"), &json!(2)));
    assert_eq!(saved["categories"], taxonomy["categories"], "what was read can be sent back");
    assert_eq!(desk.get("/v1/taxonomy").await.ok(), saved);
    let other = desk.key("hr", deskhand::domain::Scope::Triage).await;
    let other = desk.ask("GET", "/v1/taxonomy", &[("authorization", &other)], &Value::Null).await;
    assert_eq!(other.ok()["version"], 1, "another desk's are another's");
}

#[tokio::test]
async fn a_change_that_is_based_on_an_older_version_is_refused() {
    let (desk, taxonomy) = desk().await;
    let version = taxonomy["version"].as_u64().unwrap();
    let (now, next) = (format!("\"{version}\""), format!("\"{}\"", version + 1));
    assert_eq!(put(&desk, &[("if-match", &next)], &taxonomy).await.problem().0, 412);
    put(&desk, &[("if-match", &now)], &taxonomy).await.ok();
    let stale = put(&desk, &[("if-match", &now)], &taxonomy).await;
    assert_eq!(stale.problem(), (412, "precondition_failed".to_owned()));
    assert_eq!(put(&desk, &[], &taxonomy).await.ok()["version"], version + 2);
    let (a, b) = tokio::join!(
        put(&desk, &[("if-match", "\"4\"")], &taxonomy),
        put(&desk, &[("if-match", "\"4\"")], &taxonomy)
    );
    assert_eq!(version, 2);
    assert!([a.status, b.status] == [200, 412] || [a.status, b.status] == [412, 200]);
}

#[tokio::test]
async fn a_label_that_tickets_carry_cannot_vanish() {
    let (desk, taxonomy) = desk().await;
    let mut less = without(&without(&taxonomy, "VPN"), "Printing");
    less["priorities"] = json!(["low"]);
    let refused = put(&desk, &[], &less).await;
    assert_eq!(refused.problem(), (409, "labels_in_use".to_owned()));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    for label in
        ["category \"Printing\" (3 tickets)", "category \"VPN\" (3", "priority \"normal\" (9"]
    {
        assert!(detail.contains(label), "{detail}");
    }
    assert!(!detail.contains("team"), "{detail}");
    assert_eq!(desk.get("/v1/taxonomy").await.ok(), taxonomy, "nothing has changed");
}

#[tokio::test]
async fn mapped_labels_move_their_tickets_and_the_next_answer_has_the_new_ones() {
    let (desk, taxonomy) = desk().await;
    let ask = json!({"subject": "VPN drops every few minutes"});
    let before = desk.triage(ask.clone()).await;
    assert_eq!(before["category"]["label"], "VPN");
    let mut moved = without(&taxonomy, "VPN");
    moved["categories"].as_array_mut().unwrap().push(json!({"label": "Remote", "team": "Net"}));
    let teams = moved["teams"].as_array_mut().unwrap();
    teams.retain(|t| t["label"] != "VPN team");
    teams.push(json!({"label": "Net", "department": "IT"}));
    moved["mappings"] = json!({"category": {"VPN": "Remote"}, "team": {"VPN team": "Net"}});
    put(&desk, &[], &moved).await.ok();
    let after = desk.triage(ask).await;
    assert_eq!(after["category"]["label"], "Remote");
    assert_eq!(
        (&after["team"]["label"], &after["team"]["department"]),
        (&json!("Net"), &json!("IT"))
    );
    assert_eq!(after["category"]["probability"], before["category"]["probability"]);
    let export = desk.get("/v1/export").await.text();
    assert_eq!(export.matches("\"category\":\"Remote\"").count(), 3);
    assert_eq!(export.matches("\"category\":\"VPN\"").count(), 0);
    let trail = desk.rows("SELECT detail FROM audit").await;
    assert_eq!(trail, [r#"{"tickets_relabelled":6,"version":3}"#]);
    let late = desk.decide(&before, &json!({"action": "approve"})).await;
    assert_eq!(late.problem(), (409, "unknown_label".to_owned()), "it suggests what is no more");
    desk.decide(&before, &json!({"action": "edit", "category": "Remote", "team": "Net"}))
        .await
        .ok();
}

#[tokio::test]
async fn a_mapping_to_a_label_that_is_not_there_is_refused() {
    let (desk, taxonomy) = desk().await;
    let mut moved = without(&taxonomy, "VPN");
    moved["mappings"] = json!({"category": {"VPN": "Nowhere"}});
    let refused = put(&desk, &[], &moved).await;
    assert_eq!(refused.problem(), (409, "unknown_label".to_owned()));
    assert_eq!(refused.json()["errors"][0]["pointer"], "/mappings/category/VPN");
    moved["mappings"] = json!({"colour": {"VPN": "Printing"}});
    assert_eq!(put(&desk, &[], &moved).await.problem().0, 422);
}

#[tokio::test]
async fn a_taxonomy_that_contradicts_itself_hears_of_all_its_faults() {
    let (desk, taxonomy) = desk().await;
    let wrong = json!({
        "name": "x",
        "priorities": ["low", "low", " "],
        "teams": [{"label": "A"}, {"label": "A"}],
        "categories": [{"label": "C", "team": "Nobody"}, {"label": ""}],
    });
    let refused = put(&desk, &[], &wrong).await;
    assert_eq!(refused.problem(), (409, "invalid_taxonomy".to_owned()));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    for fault in [
        "priority \"low\" is listed twice",
        "a priority has a blank label",
        "team \"A\" is listed twice",
        "a category has a blank label",
        "category \"C\" names the team \"Nobody\"",
    ] {
        assert!(detail.contains(fault), "{fault}: {detail}");
    }
    for (body, code) in
        [(json!({}), "invalid_field"), (json!({"name": "x", "colour": 1}), "unknown_field")]
    {
        assert_eq!(put(&desk, &[], &body).await.problem(), (422, code.to_owned()), "{body}");
    }
    assert_eq!(desk.get("/v1/taxonomy").await.ok(), taxonomy);
}

#[tokio::test]
async fn text_that_looks_like_an_escaped_nul_is_text() {
    let desk = Desk::new().await;
    let odd =
        json!({"name": "x\u{0}", "categories": [{"label": "A", "description": "a \\u0000 b"}]});
    let saved = put(&desk, &[], &odd).await.ok();
    assert_eq!(saved["name"], "x", "databases cannot keep a real one");
    assert_eq!(saved["categories"][0]["description"], "a \\u0000 b");
}

#[tokio::test]
async fn the_next_answer_rests_on_the_new_words() {
    let desk = Desk::new().await;
    let ask = json!({"subject": "the giraffe in the foyer is hungry"});
    let before = desk.triage(ask.clone()).await;
    let taxonomy = json!({
        "name": "zoo",
        "priorities": ["normal"],
        "teams": [{"label": "Keepers"}],
        "categories": [
            {"label": "Feeding", "team": "Keepers", "description": "Hungry animals.",
             "examples": ["the giraffe is hungry", "the lions want food"]},
            {"label": "Fences", "team": "Keepers", "description": "Broken fences and doors."}
        ],
    });
    put(&desk, &[], &taxonomy).await.ok();
    let after = desk.triage(ask).await;
    assert_ne!(before["category"]["label"], "Feeding");
    assert_eq!(after["category"]["label"], "Feeding");
    assert_eq!(after["team"]["label"], "Keepers");
    assert_eq!(after["model"]["bundle"], "neighbours@taxonomy-2");
    let empty = put(&desk, &[], &json!({"name": "nothing"})).await.ok();
    assert_eq!(empty["version"], 3);
    let none = desk.triage(json!({"subject": "anything"})).await;
    assert_eq!(
        (&none["category"]["label"], &none["category"]["reason"]),
        (&Value::Null, &json!("no_labels"))
    );
}

/// Together they are more than may wait for the encoder at once.
#[tokio::test]
async fn a_taxonomy_of_long_examples_is_read_in_turns() {
    let desk = Desk::new().await;
    let long =
        |n: usize| format!("{n} {}", "the giraffe in the foyer is hungry again ".repeat(150));
    let examples: Vec<String> = (0..24).map(long).collect();
    let taxonomy = json!({
        "name": "zoo",
        "teams": [{"label": "Keepers"}],
        "categories": [{"label": "Feeding", "team": "Keepers", "examples": examples}],
    });
    put(&desk, &[], &taxonomy).await.ok();
    let answer = desk.triage(json!({"subject": "a hungry giraffe"})).await;
    assert_eq!(answer["category"]["label"], "Feeding");
}

#[tokio::test]
async fn a_busy_encoder_delays_a_start_and_does_not_prevent_it() {
    let (encoder, tokenizer) = load();
    let inference = Some(Inference::start(encoder, tokenizer).unwrap());
    let desk = Desk::set_up(Setup { inference, ..Setup::default() }).await;
    let text = |n: usize| format!("{n} {}", "the giraffe in the foyer is hungry again ".repeat(3));
    let embed = |n| desk.triage.embed(vec![text(n)], Lane::Interactive);
    // As many as may wait. They take their places before anything else is looked at.
    let busy = futures_util::future::join_all((0..256).map(embed));
    let start = async {
        let refused = embed(256).await;
        assert!(matches!(refused, Err(TriageError::Inference(InferenceError::Overloaded))));
        desk.triage.warm_up(&desk.workspace).await
    };
    let (_, started) = tokio::join!(busy, start);
    started.unwrap();
}
