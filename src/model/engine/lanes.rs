//! Sixteen numbers at a time, for each instruction set.
//!
//! Activations lie feature by feature with the tokens side by side (see [`super::layout`]), so one
//! [`Lanes::V`] is one feature of sixteen tokens, and nothing is ever summed across a register.

/// What the kernels need of an instruction set.
pub(super) trait Lanes: Copy + Send + Sync + 'static {
    /// One number for each of sixteen tokens.
    type V: Copy;
    /// A whole number for each of sixteen tokens.
    type I: Copy;
    /// Whether the registers hold a tile of 12 outputs by 32 tokens; otherwise 6 by 16.
    const WIDE: bool;

    /// Runs work that is compiled for this instruction set. Everything it calls must be inlined.
    fn run<R>(self, work: impl FnOnce() -> R) -> R;
    fn load(self, values: &[f32; 16]) -> Self::V;
    fn store(self, v: Self::V, values: &mut [f32; 16]);
    fn splat(self, value: f32) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a × b + c`.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    fn sqrt(self, a: Self::V) -> Self::V;
    /// Shifts the bits of `a` to the left by 23 and adds those of `b`, as whole numbers.
    fn add_exponent(self, a: Self::V, b: Self::V) -> Self::V;
    fn whole(self, value: i32) -> Self::I;
    fn to_f32(self, a: Self::I) -> Self::V;
    /// Rounds four features to bytes, and puts each token's four side by side.
    fn to_bytes(self, v: [Self::V; 4], out: &mut [u8; 64]);
    /// Adds each token's four bytes times the four signed bytes of `weights`.
    fn dot(self, sum: Self::I, x: &[u8; 64], weights: i32) -> Self::I;
}

/// The instruction set that this processor has, found out once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Vnni(x86::Avx512<true>),
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512<false>),
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    Portable(Portable),
}

impl Isa {
    /// Every instruction set that runs here, the widest first.
    pub(super) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(x86::Avx512::detect().map(Self::Vnni));
            all.extend(x86::Avx512::detect().map(Self::Avx512));
            all.extend(x86::Avx2::detect().map(Self::Avx2));
        }
        all.push(Self::Portable(Portable));
        all
    }

    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(_) => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            Self::Portable(_) => "portable",
        }
    }
}

/// Plain arrays, which the compiler turns into whatever the target always has (SSE2, NEON).
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

#[inline(always)]
fn zip(a: [f32; 16], b: [f32; 16], f: impl Fn(f32, f32) -> f32) -> [f32; 16] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Lanes for Portable {
    type V = [f32; 16];
    type I = [i32; 16];
    const WIDE: bool = false;

    #[inline(always)]
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }
    #[inline(always)]
    fn load(self, values: &[f32; 16]) -> [f32; 16] {
        *values
    }
    #[inline(always)]
    fn store(self, v: [f32; 16], values: &mut [f32; 16]) {
        *values = v;
    }
    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 16] {
        [value; 16]
    }
    #[inline(always)]
    fn add(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn fma(self, a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
        // Where the target has no such instruction, `mul_add` would be a slow call.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            std::array::from_fn(|i| a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    fn min(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn sqrt(self, a: [f32; 16]) -> [f32; 16] {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    fn add_exponent(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        zip(a, b, |a, b| f32::from_bits((a.to_bits() << 23).wrapping_add(b.to_bits())))
    }
    #[inline(always)]
    fn whole(self, value: i32) -> [i32; 16] {
        [value; 16]
    }
    #[inline(always)]
    fn to_f32(self, a: [i32; 16]) -> [f32; 16] {
        a.map(|a| a as f32)
    }
    #[inline(always)]
    fn to_bytes(self, v: [[f32; 16]; 4], out: &mut [u8; 64]) {
        for (token, four) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            // Halves away from zero: none of these is negative.
            *four = v.map(|feature| (feature[token] + 0.5) as u8);
        }
    }
    #[inline(always)]
    fn dot(self, mut sum: [i32; 16], x: &[u8; 64], weights: i32) -> [i32; 16] {
        let weights = weights.to_le_bytes().map(|w| i32::from(w.cast_signed()));
        for (sum, x) in sum.iter_mut().zip(x.as_chunks::<4>().0) {
            let products = x.iter().zip(weights).map(|(x, w)| i32::from(*x) * w);
            *sum += products.sum::<i32>();
        }
        sum
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    #![expect(unsafe_code, reason = "vector instructions; each type is proof that they are there")]

    use std::arch::x86_64::{
        __m256, __m256i, __m512, __m512i, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256,
        _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cvtepi32_ps, _mm256_cvttps_epi32,
        _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_max_epi32, _mm256_max_ps, _mm256_min_epi32, _mm256_min_ps, _mm256_mul_ps,
        _mm256_or_si256, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256,
        _mm256_slli_epi16, _mm256_slli_epi32, _mm256_sqrt_ps, _mm256_srai_epi16, _mm256_srli_epi16,
        _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_ps, _mm512_add_epi32, _mm512_add_ps,
        _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cvtepi32_ps,
        _mm512_cvttps_epi32, _mm512_div_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_loadu_si512, _mm512_madd_epi16, _mm512_max_epi32, _mm512_max_ps, _mm512_min_epi32,
        _mm512_min_ps, _mm512_mul_ps, _mm512_or_si512, _mm512_set1_epi32, _mm512_set1_ps,
        _mm512_slli_epi16, _mm512_slli_epi32, _mm512_sqrt_ps, _mm512_srai_epi16, _mm512_srli_epi16,
        _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
    };

    use super::Lanes;

    /// AVX-512, with its products of bytes (VNNI) or without: one register a vector. Made only by
    /// [`Avx512::detect`].
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Avx512<const VNNI: bool>(());

    /// AVX2 with FMA: two registers a vector. Made only by [`Avx2::detect`].
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Avx2(());

    impl<const VNNI: bool> Avx512<VNNI> {
        pub(in super::super) fn detect() -> Option<Self> {
            let there = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let vnni = !VNNI || is_x86_feature_detected!("avx512vnni");
            (there && vnni && Avx2::detect().is_some()).then_some(Self(()))
        }
    }

    impl Avx2 {
        pub(in super::super) fn detect() -> Option<Self> {
            let there = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            there.then_some(Self(()))
        }
    }

    // SAFETY, for every block of both implementations: a value of the type exists only where
    // `detect` found the instructions, and loads and stores go through arrays of their own length.
    impl<const VNNI: bool> Lanes for Avx512<VNNI> {
        type V = __m512;
        type I = __m512i;
        const WIDE: bool = true;

        #[inline(always)]
        fn run<R>(self, work: impl FnOnce() -> R) -> R {
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn compiled_for<R>(work: impl FnOnce() -> R) -> R {
                work()
            }
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
            fn compiled_for_vnni<R>(work: impl FnOnce() -> R) -> R {
                work()
            }
            unsafe { if VNNI { compiled_for_vnni(work) } else { compiled_for(work) } }
        }
        #[inline(always)]
        fn load(self, values: &[f32; 16]) -> __m512 {
            unsafe { _mm512_loadu_ps(values.as_ptr()) }
        }
        #[inline(always)]
        fn store(self, v: __m512, values: &mut [f32; 16]) {
            unsafe { _mm512_storeu_ps(values.as_mut_ptr(), v) }
        }
        #[inline(always)]
        fn splat(self, value: f32) -> __m512 {
            unsafe { _mm512_set1_ps(value) }
        }
        #[inline(always)]
        fn add(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        fn sub(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_sub_ps(a, b) }
        }
        #[inline(always)]
        fn mul(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        fn div(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_div_ps(a, b) }
        }
        #[inline(always)]
        fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn min(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_min_ps(a, b) }
        }
        #[inline(always)]
        fn max(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_max_ps(a, b) }
        }
        #[inline(always)]
        fn sqrt(self, a: __m512) -> __m512 {
            unsafe { _mm512_sqrt_ps(a) }
        }
        #[inline(always)]
        fn add_exponent(self, a: __m512, b: __m512) -> __m512 {
            unsafe {
                let shifted = _mm512_slli_epi32::<23>(_mm512_castps_si512(a));
                _mm512_castsi512_ps(_mm512_add_epi32(shifted, _mm512_castps_si512(b)))
            }
        }
        #[inline(always)]
        fn whole(self, value: i32) -> __m512i {
            unsafe { _mm512_set1_epi32(value) }
        }
        #[inline(always)]
        fn to_f32(self, a: __m512i) -> __m512 {
            unsafe { _mm512_cvtepi32_ps(a) }
        }
        #[inline(always)]
        fn to_bytes(self, v: [__m512; 4], out: &mut [u8; 64]) {
            unsafe {
                let half = _mm512_set1_ps(0.5);
                let [a, b, c, d] = v.map(|v| {
                    let whole = _mm512_cvttps_epi32(_mm512_add_ps(v, half));
                    _mm512_min_epi32(_mm512_max_epi32(whole, self.whole(0)), self.whole(255))
                });
                let low = _mm512_or_si512(a, _mm512_slli_epi32::<8>(b));
                let high = _mm512_or_si512(_mm512_slli_epi32::<16>(c), _mm512_slli_epi32::<24>(d));
                _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_or_si512(low, high));
            }
        }
        #[inline(always)]
        fn dot(self, sum: __m512i, x: &[u8; 64], weights: i32) -> __m512i {
            unsafe {
                let (x, weights) = (_mm512_loadu_si512(x.as_ptr().cast()), self.whole(weights));
                if VNNI {
                    return _mm512_dpbusd_epi32(sum, x, weights);
                }
                // Bytes at even and at odd places as numbers of sixteen bits, whose products are
                // added up by twos.
                let even = _mm512_and_si512(x, self.whole(0x00FF_00FF));
                let odd = _mm512_srli_epi16::<8>(x);
                let even_weights = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(weights));
                let odd_weights = _mm512_srai_epi16::<8>(weights);
                let even = _mm512_madd_epi16(even, even_weights);
                let odd = _mm512_madd_epi16(odd, odd_weights);
                _mm512_add_epi32(sum, _mm512_add_epi32(even, odd))
            }
        }
    }

    type Pair = [__m256; 2];

    impl Lanes for Avx2 {
        type V = Pair;
        type I = [__m256i; 2];
        const WIDE: bool = false;

        #[inline(always)]
        fn run<R>(self, work: impl FnOnce() -> R) -> R {
            #[target_feature(enable = "avx2,fma")]
            fn compiled_for<R>(work: impl FnOnce() -> R) -> R {
                work()
            }
            unsafe { compiled_for(work) }
        }
        #[inline(always)]
        fn load(self, values: &[f32; 16]) -> Pair {
            let (halves, _) = values.as_chunks::<8>();
            unsafe { [_mm256_loadu_ps(halves[0].as_ptr()), _mm256_loadu_ps(halves[1].as_ptr())] }
        }
        #[inline(always)]
        fn store(self, v: Pair, values: &mut [f32; 16]) {
            let (halves, _) = values.as_chunks_mut::<8>();
            unsafe {
                _mm256_storeu_ps(halves[0].as_mut_ptr(), v[0]);
                _mm256_storeu_ps(halves[1].as_mut_ptr(), v[1]);
            }
        }
        #[inline(always)]
        fn splat(self, value: f32) -> Pair {
            unsafe { [_mm256_set1_ps(value); 2] }
        }
        #[inline(always)]
        fn add(self, a: Pair, b: Pair) -> Pair {
            unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
        }
        #[inline(always)]
        fn sub(self, a: Pair, b: Pair) -> Pair {
            unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
        }
        #[inline(always)]
        fn mul(self, a: Pair, b: Pair) -> Pair {
            unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
        }
        #[inline(always)]
        fn div(self, a: Pair, b: Pair) -> Pair {
            unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
        }
        #[inline(always)]
        fn fma(self, a: Pair, b: Pair, c: Pair) -> Pair {
            unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
        }
        #[inline(always)]
        fn min(self, a: Pair, b: Pair) -> Pair {
            unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
        }
        #[inline(always)]
        fn max(self, a: Pair, b: Pair) -> Pair {
            unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
        }
        #[inline(always)]
        fn sqrt(self, a: Pair) -> Pair {
            unsafe { [_mm256_sqrt_ps(a[0]), _mm256_sqrt_ps(a[1])] }
        }
        #[inline(always)]
        fn add_exponent(self, a: Pair, b: Pair) -> Pair {
            let half = |a: __m256, b: __m256| unsafe {
                let shifted = _mm256_slli_epi32::<23>(_mm256_castps_si256(a));
                _mm256_castsi256_ps(_mm256_add_epi32(shifted, _mm256_castps_si256(b)))
            };
            [half(a[0], b[0]), half(a[1], b[1])]
        }
        #[inline(always)]
        fn whole(self, value: i32) -> [__m256i; 2] {
            unsafe { [_mm256_set1_epi32(value); 2] }
        }
        #[inline(always)]
        fn to_f32(self, a: [__m256i; 2]) -> Pair {
            unsafe { [_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])] }
        }
        #[inline(always)]
        fn to_bytes(self, v: [Pair; 4], out: &mut [u8; 64]) {
            for (at, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                unsafe {
                    let (half, most) = (_mm256_set1_ps(0.5), _mm256_set1_epi32(255));
                    let [a, b, c, d] = v.map(|v| {
                        let whole = _mm256_cvttps_epi32(_mm256_add_ps(v[at], half));
                        _mm256_min_epi32(_mm256_max_epi32(whole, _mm256_setzero_si256()), most)
                    });
                    let low = _mm256_or_si256(a, _mm256_slli_epi32::<8>(b));
                    let high =
                        _mm256_or_si256(_mm256_slli_epi32::<16>(c), _mm256_slli_epi32::<24>(d));
                    _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm256_or_si256(low, high));
                }
            }
        }
        #[inline(always)]
        fn dot(self, sum: [__m256i; 2], x: &[u8; 64], weights: i32) -> [__m256i; 2] {
            // As without VNNI above.
            let half = |sum: __m256i, x: &[u8; 32]| unsafe {
                let (x, weights) =
                    (_mm256_loadu_si256(x.as_ptr().cast()), _mm256_set1_epi32(weights));
                let even = _mm256_and_si256(x, _mm256_set1_epi32(0x00FF_00FF));
                let odd = _mm256_srli_epi16::<8>(x);
                let even_weights = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(weights));
                let odd_weights = _mm256_srai_epi16::<8>(weights);
                let even = _mm256_madd_epi16(even, even_weights);
                let odd = _mm256_madd_epi16(odd, odd_weights);
                _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
            };
            let x = x.as_chunks::<32>().0;
            [half(sum[0], &x[0]), half(sum[1], &x[1])]
        }
    }
}
