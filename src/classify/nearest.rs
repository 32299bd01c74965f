//! The most similar rows of a history, for many rows at once.

use rayon::prelude::*;

use crate::simd::widest;

/// Queries that share one pass over the history.
const BLOCK: usize = 64;
/// Those of them that are compared with a row while it is in the processor's registers.
const GROUP: usize = 8;
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
            let mut cosines = vec![[0.0; GROUP]; TILE];
            for (tile, rows) in rows.chunks(TILE).enumerate() {
                let groups = queries.chunks(GROUP).zip(found.chunks_mut(GROUP)).enumerate();
                for (group, (queries, found)) in groups {
                    compare(queries, rows, &mut cosines);
                    for (at, found) in found.iter_mut().enumerate() {
                        let query = block * BLOCK + group * GROUP + at;
                        for (offset, cosines) in cosines[..rows.len()].iter().enumerate() {
                            let position = tile * TILE + offset;
                            if is_among(found, k, cosines[at]) && may(query, position) {
                                insert(found, k, position, cosines[at]);
                            }
                        }
                    }
                }
            }
            found
        })
        .collect();
    blocks.into_iter().flatten().collect()
}

/// The products of each row with up to [`GROUP`] queries.
fn compare(queries: &[&[f32]], rows: &[&[f32]], cosines: &mut [[f32; GROUP]]) {
    // Where there are fewer, the rest are compared once more.
    let queries = std::array::from_fn(|at| queries[at.min(queries.len() - 1)]);
    widest(
        #[inline(always)]
        || {
            for (row, cosines) in rows.iter().zip(cosines) {
                *cosines = products(queries, row);
            }
        },
    );
}

/// Partial sums of a product.
const LANES: usize = 8;

/// `sum + a · b`, number by number.
#[inline(always)]
fn more(sum: [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) -> [f32; LANES] {
    std::array::from_fn(|lane| sum[lane] + a[lane] * b[lane])
}

/// Sums in a fixed order of partial sums, so that they vectorise and are the same every time.
#[inline(always)]
fn products(queries: [&[f32]; GROUP], row: &[f32]) -> [f32; GROUP] {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let parts = queries.map(|query| &query.as_chunks::<LANES>().0[..chunks.len()]);
    let mut sums = [[0.0_f32; LANES]; GROUP];
    for (at, row) in chunks.iter().enumerate() {
        // Written so that all sums stay in registers: a loop over the queries may be left rolled
        // up, and then to one number at a time.
        sums = std::array::from_fn(|n| more(sums[n], &parts[n][at], row));
    }
    std::array::from_fn(|n| {
        let left = queries[n][chunks.len() * LANES..].iter().zip(rest).map(|(a, b)| a * b);
        sums[n].iter().sum::<f32>() + left.sum::<f32>()
    })
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
                (0..n).map(|_| (0..19).map(|_| f32::from(rng.i8(-3..3))).collect()).collect();
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
