use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(n: usize) -> TicketId {
    TicketId::new(Uuid::from_u128(n as u128))
}

/// Numbers that are hard on bounds: zeros, the smallest, the largest, and everything between.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.0f32..1.0,
        2 => prop_oneof![Just(0.0), Just(-0.0), Just(1.0), Just(-1.0), Just(0.5)],
        1 => prop_oneof![Just(f32::MAX), Just(f32::MIN), Just(1e-45), Just(f32::MIN_POSITIVE)],
        1 => any::<f32>().prop_filter("finite", |x| x.is_finite()),
    ]
}

/// Vectors of one length, many of them equal or next to equal.
fn vectors() -> impl Strategy<Value = Vec<Vec<f32>>> {
    (1usize..70).prop_flat_map(|n| {
        let tame = prop::collection::vec(-1.0f32..1.0, n);
        let wild = prop::collection::vec(number(), n);
        let kinds = prop::collection::vec(prop_oneof![3 => tame, 1 => wild], 1..12);
        let rows = prop::collection::vec((any::<prop::sample::Index>(), 0..n, 0u8..3), 1..60);
        (kinds, rows).prop_map(|(kinds, rows)| {
            let row = |(kind, at, change): (prop::sample::Index, usize, u8)| {
                let mut vector = kind.get(&kinds).clone();
                match change {
                    0 => vector[at] = vector[at].next_up().min(f32::MAX),
                    1 => vector[at] = -vector[at],
                    _ => {}
                }
                vector
            };
            rows.into_iter().map(row).collect()
        })
    })
}

fn packed(vectors: &[Vec<f32>]) -> Packed {
    let mut packed = Packed::default();
    // Ids fall, so that their order is not that of the rows.
    for (at, vector) in vectors.iter().enumerate() {
        packed.push(id(vectors.len() - at), vector).unwrap();
    }
    packed
}

fn by_brute_force(
    vectors: &[Vec<f32>],
    query: &[f32],
    k: usize,
    skip: Option<usize>,
    worth: impl Fn(usize) -> f32,
) -> Vec<(TicketId, f32)> {
    let all = vectors.iter().enumerate().filter(|(at, _)| Some(*at) != skip);
    let mut all: Vec<_> = all
        .map(|(at, v)| (product(query, v), id(vectors.len() - at), worth(at)))
        .map(|(product, id, worth)| (product + worth, id, product))
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all.truncate(k);
    all.into_iter().map(|(_, id, product)| (id, product)).collect()
}

fn bits(found: &[(TicketId, f32)]) -> Vec<(TicketId, u32)> {
    found.iter().map(|(id, score)| (*id, score.to_bits())).collect()
}

proptest! {
    #[test]
    fn codes_hide_nothing(
        vectors in vectors(),
        of in any::<prop::sample::Index>(),
        k in 0usize..20,
        skip in prop::option::of(0usize..60),
        worth in prop::option::of(prop::array::uniform7(0.0f32..2.0)),
    ) {
        let query = of.get(&vectors);
        let worth = |at: usize| worth.map_or(0.0, |worth| worth[at % 7]);
        let [plain, found] =
            packed(&vectors).nearest(query, k, skip, |at| [0.0, worth(at)]);
        let expected = by_brute_force(&vectors, query, k, skip, |_| 0.0);
        prop_assert_eq!(bits(&plain), bits(&expected));
        let expected = by_brute_force(&vectors, query, k, skip, worth);
        prop_assert_eq!(bits(&found), bits(&expected));
    }

    #[test]
    fn a_score_is_within_its_bounds(vectors in vectors(), of in any::<prop::sample::Index>()) {
        let query = of.get(&vectors);
        let code = QueryCode::new(query);
        for vector in &vectors {
            let mut codes = Vec::new();
            let frame = encode(vector, &mut codes);
            let mut products = [0];
            code_products(&code.codes, &codes, &mut products);
            let (lower, upper) = code.bounds(products[0], frame);
            let score = product(query, vector);
            prop_assert!(lower <= score && score <= upper, "{lower} {score} {upper}");
        }
    }

    #[test]
    fn a_score_is_the_product(pairs in prop::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 1..70)) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let exact: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        prop_assert!((f64::from(product(&a, &b)) - exact).abs() <= 1e-12 + exact.abs() * 6e-8);
    }
}

#[test]
fn what_is_no_number_hides_nothing_else() {
    let vectors: Vec<Vec<f32>> =
        [[f32::NAN, 0.0], [f32::INFINITY, 1.0], [0.0, f32::NEG_INFINITY], [0.6, 0.8], [0.8, 0.6]]
            .map(Vec::from)
            .into();
    for query in [[0.8, 0.6], [0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 0.0]] {
        for k in 0..6 {
            let [found] = packed(&vectors).nearest(&query, k, None, |_| [0.0]);
            let expected = by_brute_force(&vectors, &query, k, None, |_| 0.0);
            assert_eq!(bits(&found), bits(&expected));
        }
    }
}

#[test]
fn nothing_is_never_less_than_nothing() {
    assert_eq!(product(&[1e-30], &[-1e-30]).to_bits(), 0, "−0 would come after 0");
}

#[test]
fn the_longest_sum_stays_within_32_bits() {
    for n in [1, 384, 1024, 65_537] {
        let query = vec![1.0; n];
        let mut codes = Vec::new();
        let frame = encode(&query, &mut codes);
        let code = QueryCode::new(&query);
        let mut products = [0];
        code_products(&code.codes, &codes, &mut products);
        let (lower, upper) = code.bounds(products[0], frame);
        assert!(lower <= n as f32 && n as f32 <= upper, "{n}: {lower} {upper}");
    }
}

#[test]
fn all_vectors_have_one_length_until_none_is_left() {
    let mut packed = packed(&[vec![1.0, 0.0]]);
    assert_eq!(packed.push(id(9), &[1.0]), Err(OtherLength));
    assert_eq!(packed.nearest(&[1.0], 1, None, |_| [0.0]), [[]]);
    packed.swap_remove(1);
    assert_eq!(packed.len(), 1, "there is no second one to remove");
    packed.swap_remove(0);
    assert_eq!(packed.push(id(9), &[1.0]), Ok(()));
    assert_eq!(packed.nearest(&[1.0], 5, None, |_| [0.0]), [[(id(9), 1.0)]]);
}
