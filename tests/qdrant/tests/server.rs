//! The test server keeps what it promises: answers as a real server gives them, and data on disk.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../../it/support/qdrant.rs"]
mod process;

use std::path::Path;

use process::TestQdrant;
use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder,
    DeletePointsBuilder, Distance, FieldType, Filter, GetPointsBuilder, PointId, PointStruct,
    QueryPointsBuilder, ScrollPointsBuilder, SearchPointsBuilder, UpsertPointsBuilder,
    VectorParamsBuilder,
};
use qdrant_client::{Payload, Qdrant, QdrantError};

const NAME: &str = "things";

fn start(arguments: &[&str]) -> TestQdrant {
    TestQdrant::start(Path::new(env!("CARGO_BIN_EXE_deskhand-test-qdrant")), arguments)
}

fn client(server: &TestQdrant) -> Qdrant {
    Qdrant::from_url(&server.url()).skip_compatibility_check().build().unwrap()
}

fn create() -> CreateCollectionBuilder {
    CreateCollectionBuilder::new(NAME).vectors_config(VectorParamsBuilder::new(2, Distance::Dot))
}

fn point(id: u64, vector: [f32; 2], colour: &str) -> PointStruct {
    let mut payload = Payload::new();
    payload.insert("colour", colour);
    PointStruct::new(id, vector.to_vec(), payload)
}

fn of(colour: &str) -> Filter {
    Filter::must([Condition::matches("colour", colour.to_owned())])
}

/// The status of a refusal, as `Debug` writes it.
fn code<T>(outcome: Result<T, QdrantError>) -> String {
    match outcome {
        Ok(_) => "OK".to_owned(),
        Err(QdrantError::ResponseError { status }) => format!("{:?}", status.code()),
        Err(QdrantError::ResourceExhaustedError { retry_after_seconds, .. }) => {
            format!("ResourceExhausted {retry_after_seconds}")
        }
        Err(other) => format!("{other}"),
    }
}

async fn fill(client: &Qdrant) {
    client.create_collection(create()).await.unwrap();
    let index = CreateFieldIndexCollectionBuilder::new(NAME, "colour", FieldType::Keyword);
    client.create_field_index(index.wait(true)).await.unwrap();
    let points = vec![
        point(1, [1.0, 0.0], "red"),
        point(2, [0.8, 0.6], "red"),
        point(3, [0.6, 0.8], "blue"),
    ];
    client.upsert_points(UpsertPointsBuilder::new(NAME, points).wait(true)).await.unwrap();
}

async fn count(client: &Qdrant, filter: Filter) -> u64 {
    let request = CountPointsBuilder::new(NAME).filter(filter).exact(true);
    client.count(request).await.unwrap().result.unwrap().count
}

#[tokio::test]
async fn points_are_found_by_vector_filter_and_id() {
    let server = start(&[]);
    let client = client(&server);
    assert_eq!(client.health_check().await.unwrap().version, "1.19.0");
    fill(&client).await;
    let query = QueryPointsBuilder::new(NAME).query(vec![0.0, 1.0]).with_payload(true);
    let found = client.query(query.clone().filter(of("red"))).await.unwrap().result;
    let scores: Vec<_> = found.iter().map(|p| (p.id.clone().unwrap(), p.score)).collect();
    assert_eq!(scores, [(PointId::from(2), 0.6), (PointId::from(1), 0.0)]);
    assert_eq!(found[0].payload["colour"], "red".into());
    let others = Filter::must_not([Condition::has_id([3])]);
    assert_eq!(client.query(query.filter(others)).await.unwrap().result.len(), 2);
    let search = SearchPointsBuilder::new(NAME, vec![1.0, 0.0], 1);
    assert_eq!(client.search_points(search).await.unwrap().result[0].id, Some(1.into()));
    let got = GetPointsBuilder::new(NAME, [3.into(), 9.into()]).with_payload(true);
    assert_eq!(client.get_points(got).await.unwrap().result.len(), 1);
    let page = client.scroll(ScrollPointsBuilder::new(NAME).limit(2)).await.unwrap();
    assert_eq!((page.result.len(), page.next_page_offset), (2, Some(3.into())));
    let rest = ScrollPointsBuilder::new(NAME).offset(PointId::from(3)).limit(2);
    assert_eq!(client.scroll(rest).await.unwrap().result.len(), 1);
}

#[tokio::test]
async fn changes_honour_their_filters_and_survive_restarts() {
    let mut server = start(&[]);
    let client = client(&server);
    fill(&client).await;
    let blue = UpsertPointsBuilder::new(NAME, vec![point(1, [0.0, 1.0], "blue")]);
    client.upsert_points(blue.wait(true).update_filter(of("blue"))).await.unwrap();
    assert_eq!(count(&client, of("blue")).await, 1, "a red point stays as it is");
    let mut filter = of("blue");
    filter.must.push(Condition::has_id([1, 2]));
    client.delete_points(DeletePointsBuilder::new(NAME).points(filter)).await.unwrap();
    assert_eq!(count(&client, of("red")).await, 2);
    client.delete_points(DeletePointsBuilder::new(NAME).points([1])).await.unwrap();
    server.down();
    server.up();
    assert_eq!(count(&client, Filter::default()).await, 2);
    let info = client.collection_info(NAME).await.unwrap().result.unwrap();
    assert_eq!(info.points_count, Some(2));
    assert!(info.payload_schema.contains_key("colour"));
    client.delete_collection(NAME).await.unwrap();
    assert!(!client.collection_exists(NAME).await.unwrap());
    assert!(client.list_collections().await.unwrap().collections.is_empty());
    client.create_collection(create()).await.unwrap();
    assert_eq!(count(&client, Filter::default()).await, 0);
    server.down();
    server.wipe();
    server.up();
    // The old client has a broken connection, which it notices by failing once.
    let client = self::client(&server);
    assert!(client.list_collections().await.unwrap().collections.is_empty());
}

#[tokio::test]
async fn refusals_are_those_of_a_real_server() {
    let server = start(&["--api-key", "k"]);
    let nobody = client(&server);
    assert_eq!(code(nobody.list_collections().await), "Unauthenticated");
    let url = server.url();
    let client = Qdrant::from_url(&url).api_key("k").skip_compatibility_check().build().unwrap();
    assert_eq!(code(client.collection_info(NAME).await), "NotFound");
    assert_eq!(code(client.count(CountPointsBuilder::new(NAME)).await), "NotFound");
    fill(&client).await;
    assert_eq!(code(client.create_collection(create()).await), "AlreadyExists");
    let short = PointStruct::new(9, vec![1.0], Payload::new());
    let upsert = UpsertPointsBuilder::new(NAME, vec![short]);
    assert_eq!(code(client.upsert_points(upsert).await), "InvalidArgument");
    let query = QueryPointsBuilder::new(NAME).query(vec![1.0, 2.0, 3.0]);
    assert_eq!(code(client.query(query).await), "InvalidArgument");
    assert_eq!(code(client.list_aliases().await), "Unimplemented");
    server.refuse(Some("RESOURCE_EXHAUSTED 7"));
    assert_eq!(code(client.list_collections().await), "ResourceExhausted 7");
    server.refuse(Some("DEADLINE 10"));
    assert_eq!(code(client.list_collections().await), "DeadlineExceeded");
    server.refuse(None);
    assert_eq!(code(client.list_collections().await), "OK");
}
