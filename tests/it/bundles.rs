//! Trained labels in the service: fitted from a desk's own tickets, swapped and taken back under
//! load, corrected at once, refused by name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deskhand::app::SystemIds;
use deskhand::classify::Bundle;
use deskhand::domain::{WorkspaceId, ids::hex};
use deskhand::sample;
use deskhand::store::{SqlStore, Store};
use deskhand::triage::{Caller, FitOutcome};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::support::{Desk, NoProgress, Setup, TestClock, manifest};

/// The files of the demo's desk after its import and its fit, made once.
async fn fitted() -> &'static [(PathBuf, Vec<u8>)] {
    static FITTED: OnceCell<Vec<(PathBuf, Vec<u8>)>> = OnceCell::const_new();
    let made = FITTED.get_or_init(|| async {
        let desk = Desk::new().await;
        let tickets = sample::tickets().unwrap();
        let labels = Some(sample::taxonomy());
        desk.triage.import(&desk.workspace, &tickets, labels, &NoProgress).await.unwrap();
        let outcome = fit(&desk).await;
        assert!(matches!(outcome, FitOutcome::Activated(_)), "{outcome:?}");
        desk.triage.store().close().await;
        let mut files = Vec::new();
        read(desk.folder.path(), Path::new(""), &mut files);
        files
    });
    made.await
}

fn read(root: &Path, inside: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(root.join(inside)).unwrap() {
        let name = inside.join(entry.unwrap().file_name());
        if root.join(&name).is_dir() {
            read(root, &name, files);
        } else {
            let bytes = std::fs::read(root.join(&name)).unwrap();
            files.push((name, bytes));
        }
    }
}

async fn fit(desk: &Desk) -> FitOutcome {
    let caller = Caller { workspace: desk.workspace.clone(), actor: "test".to_owned() };
    desk.triage.fit_bundle(&caller, Arc::new(|_, _| ())).await.unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// A desk of its own with all that was fitted.
async fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in fitted().await {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let store: Arc<dyn Store> = Arc::new(SqlStore::open_folder(folder.path()).await.unwrap());
    let clock = Arc::new(TestClock::new("2026-01-02T03:04:05Z".parse().unwrap()));
    let own = Some((clock as _, Arc::new(SystemIds) as _));
    Desk::build(store, folder, Setup { own, ..Setup::default() })
}

/// The active bundle's id.
async fn active(desk: &Desk) -> String {
    let bundles = desk.get("/v1/bundles").await.ok();
    let mut active = bundles["items"].as_array().unwrap().iter().filter(|b| b["active"] == true);
    let id = active.next().unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(active.next(), None);
    id
}

/// Another bundle beside the active one, as if it had been fitted elsewhere: it says nothing of
/// priorities.
async fn another(desk: &Desk) -> String {
    let folder = desk.folder.path().join("bundles/main");
    let encoder = manifest().fingerprint();
    let bundle = Bundle::load(&folder.join(active(desk).await), &encoder).unwrap();
    let mut fields = bundle.fields;
    fields.remove("priority").unwrap();
    let other = Bundle::new(bundle.manifest, fields);
    other.save(&folder.join(other.id())).unwrap();
    other.id()
}

async fn activate(desk: &Desk, id: &str) -> crate::support::Reply {
    desk.post_to(&format!("/v1/bundles/{id}/activate"), &Value::Null).await
}

/// An answer without what differs each time.
fn answer(suggestion: &Value) -> Value {
    ["category", "team", "priority", "model"].map(|f| suggestion[f].clone()).into_iter().collect()
}

fn vpn() -> Value {
    json!({"subject": "VPN drops every few minutes",
           "body": "Working from home, GlobalProtect disconnects since the update."})
}

#[tokio::test]
async fn answers_are_trained_and_name_their_bundle() {
    let desk = desk().await;
    let id = active(&desk).await;
    let listed = desk.get("/v1/bundles").await.ok()["items"][0].clone();
    for field in ["category", "team"] {
        assert!(listed["fields"][field]["accuracy"]["value"].as_f64().unwrap() > 0.7, "{listed}");
    }
    let said = desk.triage(vpn()).await;
    assert_eq!(said["model"]["bundle"], id);
    assert_eq!(said["model"]["policy"], "target:0.95");
    assert_eq!(
        (&said["category"]["label"], &said["category"]["regime"]),
        (&json!("VPN"), &json!("trained"))
    );
    let far =
        json!({"subject": "Der Drucker druckt nicht, obwohl er eingeschaltet ist und Papier hat"});
    let far = desk.triage(far).await;
    assert_ne!(far["category"]["decision"], "auto", "{far}");
    // The same tickets make the same bundle; too few make none.
    let again = fit(&desk).await;
    assert!(matches!(again, FitOutcome::Activated(record) if record.id == id));
    let small = Desk::with(&crate::support::small_history()).await;
    assert_eq!(fit(&small).await, FitOutcome::TooLittle { labelled: 9 });
    assert_eq!(small.triage(vpn()).await["category"]["regime"], "few_shot");
}

#[tokio::test]
async fn a_correction_counts_on_the_next_ticket_and_taking_it_back_restores_the_old_answer() {
    let desk = desk().await;
    desk.add_category("Remote desktop", "Endpoint").await;
    let first = desk.triage(vpn()).await;
    let again = json!({"subject": "VPN drops every few minutes",
                       "body": "Working from home, GlobalProtect disconnects since the update. Thanks."});
    let before = desk.triage(again.clone()).await;
    assert_eq!(before["category"]["label"], "VPN");
    // A label that the bundle has never heard of.
    let reroute = json!({"action": "reroute", "category": "Remote desktop"});
    desk.decide(&first, &reroute).await.ok();
    let after = desk.triage(again.clone()).await;
    assert_eq!(after["category"]["label"], "Remote desktop", "{}", after["category"]);
    assert_eq!(after["category"]["decision"], "suggest", "no promise covers it");
    assert_eq!(after["category"]["regime"], "few_shot");
    assert_eq!(after["team"]["label"], "Endpoint");
    let unlike = json!({"subject": "printer prints blank pages"});
    assert_ne!(desk.triage(unlike).await["category"]["label"], "Remote desktop");
    desk.decide(&first, &json!({"action": "undo"})).await.ok();
    assert_eq!(answer(&desk.triage(again).await), answer(&before));
}

#[tokio::test]
async fn the_policy_moves_live_and_can_be_looked_at_before() {
    let desk = desk().await;
    let policy = desk.get("/v1/policy").await;
    assert_eq!(policy.header("etag"), "\"1\"");
    let policy = policy.ok();
    assert_eq!(policy["target_precision"], 0.95);
    assert_eq!(policy["bundle"], active(&desk).await);
    let covered =
        |policy: &Value| policy["fields"]["category"]["coverage"]["value"].as_f64().unwrap();
    let preview = desk.get("/v1/policy?target_precision=0.8").await.ok();
    assert_eq!((&preview["target_precision"], &preview["shown_for"]), (&json!(0.95), &json!(0.8)));
    assert!(covered(&preview) > covered(&policy), "{preview} {policy}");
    let put = async |target: Value, etag: &str| {
        let body = json!({ "target_precision": target });
        desk.ask("PUT", "/v1/policy", &[("if-match", etag)], &body).await
    };
    assert_eq!(put(json!(0.8), "\"2\"").await.problem().0, 412);
    let moved = put(json!(0.8), "\"1\"").await.ok();
    assert_eq!((&moved["version"], &moved["fields"]), (&json!(2), &preview["fields"]));
    assert_eq!(desk.get("/v1/policy").await.ok(), moved);
    // What a threshold lets pass is applied, and nothing else.
    let tickets = sample::tickets().unwrap();
    let mut applied = Vec::new();
    for target in [json!(0.8), json!(0.999)] {
        put(target.clone(), "*").await.ok();
        let mut auto = 0;
        for row in tickets.iter().step_by(29) {
            let ticket = json!({"subject": row.ticket.text.subject, "body": row.ticket.text.body});
            let said = desk.triage(ticket).await;
            assert_eq!(said["model"]["policy"], format!("target:{target}"));
            auto += usize::from(said["category"]["decision"] == "auto");
        }
        applied.push(auto);
    }
    assert!(applied[0] > applied[1], "{applied:?}");
    for wrong in [json!(1.0), json!(0.2), json!("high"), json!(null)] {
        assert_eq!(put(wrong, "*").await.problem(), (422, "invalid_field".to_owned()));
    }
    let wrong = desk.get("/v1/policy?target_precision=2").await.problem();
    assert_eq!(wrong, (422, "invalid_parameter".to_owned()));
    let audit = desk.rows("SELECT action FROM audit WHERE action = 'policy.put'").await;
    assert_eq!(audit.len(), 3);
}

#[tokio::test]
async fn a_bundle_that_cannot_be_used_is_refused_by_name_and_the_running_one_stays() {
    let desk = desk().await;
    let (running, folder) = (active(&desk).await, desk.folder.path().join("bundles/main"));
    let refused = async |id: &str, named: &str| {
        let reply = activate(&desk, id).await;
        assert_eq!(reply.problem(), (409, "bundle_refused".to_owned()));
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(id) && detail.contains(named), "{detail}");
        assert!(!detail.contains(folder.to_str().unwrap()), "{detail}");
        assert_eq!(desk.triage(vpn()).await["model"]["bundle"], running);
    };
    // A flipped byte: in the weights, in the manifest, in what it knows tickets by.
    for (n, file) in ["category.safetensors", "bundle.json", "tickets.bin"].into_iter().enumerate()
    {
        let id = format!("{n:016x}");
        copy(&folder.join(&running), &folder.join(&id));
        let path = folder.join(&id).join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = if file == "bundle.json" { bytes.len() - 1 } else { bytes.len() / 2 };
        bytes[at] = if file == "bundle.json" { b' ' } else { bytes[at] ^ 1 };
        std::fs::write(&path, bytes).unwrap();
        refused(&id, file).await;
    }
    // Another encoder's.
    let id = format!("{:016x}", 9);
    copy(&folder.join(&running), &folder.join(&id));
    let path = folder.join(&id).join("bundle.json");
    let foreign = std::fs::read_to_string(&path).unwrap();
    let foreign = foreign.replace(&manifest().fingerprint(), "another:0123");
    std::fs::write(&path, &foreign).unwrap();
    let origin = folder.join(&id).join("origin.json");
    let mut said: Value = serde_json::from_slice(&std::fs::read(&origin).unwrap()).unwrap();
    said["manifest_sha256"] = json!(hex(&Sha256::digest(foreign)));
    std::fs::write(&origin, said.to_string()).unwrap();
    refused(&id, "another:0123").await;
    let listed = desk.get("/v1/bundles").await.ok();
    let listed = listed["items"].as_array().unwrap().iter().find(|b| b["id"] == id).cloned();
    assert!(listed.unwrap()["fault"].as_str().unwrap().contains("another:0123"));
    // No bundle at all.
    for id in ["0123456789abcdef", "x", "..%2F..", "%2e%2e"] {
        assert_eq!(activate(&desk, id).await.problem(), (404, "not_found".to_owned()), "{id}");
    }
    // Labels that have gone.
    let mut taxonomy = desk.get("/v1/taxonomy").await.ok();
    let categories = taxonomy["categories"].as_array_mut().unwrap();
    let vpn_category = categories.iter_mut().find(|c| c["label"] == "VPN").unwrap();
    vpn_category["label"] = json!("Remote access");
    taxonomy["mappings"] = json!({"category": {"VPN": "Remote access"}});
    desk.ask("PUT", "/v1/taxonomy", &[], &taxonomy).await.ok();
    let other = another(&desk).await;
    refused(&other, "category \"VPN\"").await;
    // The tickets of the kind carry the new name, and say so.
    let rows = sample::tickets().unwrap();
    let row = rows.iter().find(|r| r.outcome.category.as_deref() == Some("VPN")).unwrap();
    let asked = json!({"subject": row.ticket.text.subject, "body": row.ticket.text.body});
    let renamed = desk.triage(asked).await;
    assert_eq!(renamed["category"]["label"], "Remote access", "{}", renamed["category"]);
    assert_ne!(renamed["category"]["decision"], "auto");
}

#[tokio::test]
async fn what_goes_on_is_the_bundle_that_answered_last_not_one_that_was_taken_back() {
    let desk = desk().await;
    let running = active(&desk).await;
    let other = another(&desk).await;
    activate(&desk, &other).await.ok();
    assert_eq!(desk.triage(vpn()).await["model"]["bundle"], other);
    // Another replica goes back to the first, and then to one that cannot be read here.
    for (named, answers) in [(running.as_str(), &running), ("0123456789abcdef", &running)] {
        let mut tx = desk.triage.store().begin(&desk.workspace).await.unwrap();
        let mut settings = tx.settings().await.unwrap();
        settings.bundle.as_mut().unwrap().id = named.to_owned();
        tx.save_settings(&settings, "2026-01-02T03:04:05Z".parse().unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(desk.triage(vpn()).await["model"]["bundle"], **answers, "{named}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_are_swapped_under_load_and_an_answer_never_mixes_two() {
    let desk = Arc::new(desk().await);
    let first = active(&desk).await;
    let alone = answer(&desk.triage(vpn()).await);
    let second = another(&desk).await;
    let swapped = activate(&desk, &second).await.ok();
    assert_eq!((&swapped["id"], &swapped["active"]), (&json!(second), &json!(true)));
    let other = answer(&desk.triage(vpn()).await);
    assert_ne!(alone, other);
    assert_eq!(other[2]["regime"], "few_shot", "priorities are left to the vote");
    let ask = async {
        let mut seen = [0, 0];
        for _ in 0..40 {
            let got = answer(&desk.triage(vpn()).await);
            assert!(got == alone || got == other, "{got}");
            seen[usize::from(got == other)] += 1;
        }
        seen
    };
    let swap = async {
        for n in 0..12 {
            activate(&desk, if n % 2 == 0 { &first } else { &second }).await.ok();
        }
    };
    let (a, b, ()) = tokio::join!(ask, async { desk.triage(vpn()).await }, swap);
    assert!(a[0] + a[1] == 40 && b["category"]["label"] == "VPN", "{a:?}");
    // Back to the one before; a restart goes on with it.
    let listed = desk.get("/v1/bundles").await.ok();
    let before = listed["items"].as_array().unwrap().iter().find(|b| b["previous"] == true);
    let before = before.unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(before, first);
    activate(&desk, &before).await.ok();
    assert_eq!(answer(&desk.triage(vpn()).await), alone);
    let store = SqlStore::open_folder(desk.folder.path()).await.unwrap();
    let settings = deskhand::store::Records::settings(&store, &WorkspaceId::main()).await.unwrap();
    assert_eq!(settings.bundle.unwrap().id, first);
    let audit = desk.rows("SELECT action FROM audit WHERE action = 'bundle.activate'").await;
    assert_eq!(audit.len(), 15, "one by the fit");
}
