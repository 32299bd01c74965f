//! `POST /v1/embeddings`, as OpenAI's clients use it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::Desk;

async fn embed(desk: &Desk, body: Value) -> Value {
    desk.post_to("/v1/embeddings", &body).await.ok()
}

fn floats(embedding: &Value) -> Vec<f32> {
    let numbers = embedding.as_array().unwrap();
    numbers.iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn from_base64(embedding: &Value) -> Vec<f32> {
    let bytes = STANDARD.decode(embedding.as_str().unwrap()).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect()
}

#[tokio::test]
async fn numbers_and_base64_agree_to_the_bit() {
    let desk = Desk::new().await;
    let texts = json!(["VPN drops every few minutes", "printer jams", "Grüße aus Köln 🖨️"]);
    let plain = embed(&desk, json!({"input": texts, "model": "any"})).await;
    let packed =
        json!({"input": texts, "encoding_format": "base64", "dimensions": 384, "user": "u"});
    let packed = embed(&desk, packed).await;
    assert_eq!((&plain["object"], &packed["object"]), (&json!("list"), &json!("list")));
    assert_eq!(plain["model"], packed["model"]);
    for n in 0..3 {
        let (plain, packed) = (&plain["data"][n], &packed["data"][n]);
        assert_eq!((&plain["index"], &plain["object"]), (&json!(n), &json!("embedding")));
        let (plain, packed) = (floats(&plain["embedding"]), from_base64(&packed["embedding"]));
        assert_eq!(plain.len(), 384);
        let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&plain), bits(&packed));
        let length: f32 = plain.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
    }
}

#[tokio::test]
async fn vectors_come_in_the_order_of_their_texts() {
    let desk = Desk::new().await;
    // Of many lengths, so that batches are made of texts from all over.
    let texts: Vec<String> =
        (1..40).map(|n| format!("{n} {}", "word ".repeat(n * 7 % 40))).collect();
    let together = embed(&desk, json!({"input": texts})).await;
    for n in [0, 7, 20, 38] {
        let alone = embed(&desk, json!({"input": texts[n]})).await;
        assert_eq!(alone["data"].as_array().unwrap().len(), 1);
        let (a, b) =
            (floats(&alone["data"][0]["embedding"]), floats(&together["data"][n]["embedding"]));
        let cosine: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.9999, "{n}: {cosine}");
    }
}

#[tokio::test]
async fn usage_counts_the_tokens_that_were_read() {
    let desk = Desk::new().await;
    let usage = async |input: Value| embed(&desk, json!({ "input": input })).await["usage"].clone();
    // Each text has two special tokens.
    let one = usage(json!("hello")).await;
    assert_eq!(one, json!({"prompt_tokens": 3, "total_tokens": 3}));
    assert_eq!(usage(json!(["hello", "hello hello"])).await["total_tokens"], 7);
    let long = usage(json!("hello ".repeat(10_000))).await["total_tokens"].as_u64().unwrap();
    assert!(long < 10_000, "only what is read counts: {long}");
}

#[tokio::test]
async fn what_cannot_be_embedded_is_refused() {
    let desk = Desk::new().await;
    for (body, pointer) in [
        (json!({"input": "a", "dimensions": 256}), "/dimensions"),
        (json!({"input": ""}), "/input"),
        (json!({"input": []}), "/input"),
        (json!({"input": ["a"], "dimensions": 0}), "/dimensions"),
        (json!({"input": vec!["a"; 2049]}), "/input"),
        (json!({"input": 7}), "/input"),
        (json!({"input": "a", "encoding_format": "int8"}), "/encoding_format"),
    ] {
        let refused = desk.post_to("/v1/embeddings", &body).await;
        assert_eq!(refused.problem(), (422, "invalid_field".to_owned()), "{pointer}");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
    let missing = desk.post_to("/v1/embeddings", &json!({"model": "x"})).await;
    assert_eq!(missing.problem().0, 422);
}
