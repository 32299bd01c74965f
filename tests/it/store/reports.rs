//! Reports of uploaded exports.

use deskhand::domain::{Headline, ReportId, ReportRecord, ReportState};
use deskhand::store::Store;
use jiff::Timestamp;
use uuid::Uuid;

use super::{after, desk};

fn record(n: u128, at: i64) -> ReportRecord {
    ReportRecord {
        id: ReportId::new(Uuid::from_u128(0x7e_9070 + n)),
        state: ReportState::Queued,
        file: format!("export {n}\0 \u{fc}.csv"),
        bytes: 7,
        by: "lead".to_owned(),
        created_at: after(at),
        updated_at: after(at),
        tickets: None,
        headline: None,
        failure: None,
    }
}

pub(super) async fn a_report_is_written_while_it_is_open_and_kept_until_it_goes(store: &dyn Store) {
    let (name, other) = (desk("reports"), desk("reports-other"));
    let mut first = record(1, 1);
    for (name, record) in [(&name, &first), (&other, &record(2, 1))] {
        let mut tx = store.begin(name).await.unwrap();
        tx.put_report(record).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(store.report(&other, first.id).await.unwrap(), None, "another desk's");
    assert_eq!(store.report_content(&name, first.id).await.unwrap(), None);
    first.state = ReportState::Done;
    let answer = "Half of them.".to_owned();
    let field = "team".to_owned();
    first.headline = Some(Headline { field, accuracy: 0.5, low: 0.4, high: 0.6, answer });
    let mut tx = store.begin(&other).await.unwrap();
    assert!(!tx.update_report(&first, Some("{}")).await.unwrap(), "another desk's");
    assert!(!tx.drop_report(first.id).await.unwrap(), "another desk's");
    tx.commit().await.unwrap();
    let mut tx = store.begin(&name).await.unwrap();
    assert!(tx.update_report(&first, Some("{\"a\":1}")).await.unwrap());
    tx.commit().await.unwrap();
    let kept = store.report(&name, first.id).await.unwrap().unwrap();
    assert_eq!((kept.state, &kept.headline), (ReportState::Done, &first.headline));
    assert_eq!(store.report_content(&name, first.id).await.unwrap().as_deref(), Some("{\"a\":1}"));
    // What has ended stays as it is.
    let mut tx = store.begin(&name).await.unwrap();
    first.state = ReportState::Cancelled;
    assert!(!tx.update_report(&first, None).await.unwrap());
    for n in 3..7 {
        tx.put_report(&record(n, n as i64)).await.unwrap();
    }
    assert_eq!(tx.trim_reports(4).await.unwrap(), 1, "the oldest goes");
    tx.commit().await.unwrap();
    let listed = store.reports(&name, 2).await.unwrap();
    assert_eq!(listed.iter().map(|r| r.id).collect::<Vec<_>>(), [record(6, 6).id, record(5, 5).id]);
    let mut tx = store.begin(&name).await.unwrap();
    assert_eq!(tx.drop_reports_before(after(4)).await.unwrap(), 1);
    assert!(tx.drop_report(record(4, 4).id).await.unwrap());
    assert_eq!(tx.drop_reports_before(Timestamp::MAX).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(store.reports(&name, 9).await.unwrap(), []);
    assert_eq!(store.reports(&other, 9).await.unwrap().len(), 1, "another desk's stay");
}
