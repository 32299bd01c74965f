//! The most similar rows of a history, for many rows at once.

use rayon::prelude::*;
use simsimd::SpatialSimilarity;

/// Queries that share one pass over the history.
const BLOCK: usize = 32;
/// Rows of the history that stay in the processor's cache while a block is compared with them.
const TILE: usize = 256;

/// For each query the `k` most similar rows (position and cosine, the most similar first, of
/// equals the first) among those that `may(query, row)` allows. Vectors are of unit length.
pub fn nearest(
    queries: &[&[f32]],
    rows: &[&[f32]],
    k: usize,
    may: impl Fn(usize, usize) -> bool + Sync,
) -> Vec<Vec<(usize, f32)>> {
    let blocks: Vec<Vec<Vec<(usize, f32)>>> = queries
        .par_chunks(BLOCK)
        .enumerate()
        .map(|(block, queries)| {
            let mut found = vec![Vec::with_capacity(k + 1); queries.len()];
            for (tile, rows) in rows.chunks(TILE).enumerate() {
                for (at, (query, found)) in queries.iter().zip(&mut found).enumerate() {
                    for (offset, row) in rows.iter().enumerate() {
                        let cosine = f32::dot(query, row).map_or(0.0, |d| d as f32);
                        let position = tile * TILE + offset;
                        if is_among(found, k, cosine) && may(block * BLOCK + at, position) {
                            insert(found, k, position, cosine);
                        }
                    }
                }
            }
            found
        })
        .collect();
    blocks.into_iter().flatten().collect()
}

fn is_among(found: &[(usize, f32)], k: usize, cosine: f32) -> bool {
    found.len() < k || found.last().is_some_and(|last| cosine > last.1)
}

fn insert(found: &mut Vec<(usize, f32)>, k: usize, position: usize, cosine: f32) {
    let at = found.partition_point(|f| f.1 >= cosine);
    found.insert(at, (position, cosine));
    found.truncate(k);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_sorting(seed: u64, n in 1usize..600, k in 1usize..8) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let rows: Vec<Vec<f32>> =
                (0..n).map(|_| (0..4).map(|_| f32::from(rng.i8(-3..3))).collect()).collect();
            let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let found = nearest(&rows[..1], &rows, k, |_, row| row % 3 != 0);
            let mut all: Vec<(usize, f32)> = (0..n)
                .filter(|row| row % 3 != 0)
                .map(|row| (row, rows[0].iter().zip(rows[row]).map(|(a, b)| a * b).sum()))
                .collect();
            // A stable sort by `<`: of equals, the two zeros among them, the first stays first.
            all.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap());
            all.truncate(k);
            prop_assert_eq!(&found[0], &all);
        }
    }

    #[test]
    fn zero_is_as_similar_as_its_negative() {
        let rows: [&[f32]; 3] = [&[-0.0, -0.0], &[0.0, 0.0], &[0.0, 1.0]];
        let found = nearest(&[&[1.0, 0.0]], &rows, 2, |_, _| true);
        assert_eq!(found[0].iter().map(|f| f.0).collect::<Vec<_>>(), [0, 1]);
    }
}
