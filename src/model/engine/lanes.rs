//! Sixteen numbers at a time, for each instruction set.
//!
//! Activations lie feature by feature with the tokens side by side (see [`super::layout`]), so one
//! [`Lanes::V`] is one feature of sixteen tokens, and nothing is ever summed across a register.

/// What the kernels need of an instruction set.
pub(super) trait Lanes: Copy + Send + Sync + 'static {
    /// One number for each of sixteen tokens.
    type V: Copy;
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
}

/// The instruction set that this processor has, found out once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
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
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    #![expect(unsafe_code, reason = "vector instructions; each type is proof that they are there")]

    use std::arch::x86_64::{
        __m256, __m512, _mm256_add_epi32, _mm256_add_ps, _mm256_castps_si256, _mm256_castsi256_ps,
        _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps,
        _mm256_mul_ps, _mm256_set1_ps, _mm256_slli_epi32, _mm256_sqrt_ps, _mm256_storeu_ps,
        _mm256_sub_ps, _mm512_add_epi32, _mm512_add_ps, _mm512_castps_si512, _mm512_castsi512_ps,
        _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps,
        _mm512_mul_ps, _mm512_set1_ps, _mm512_slli_epi32, _mm512_sqrt_ps, _mm512_storeu_ps,
        _mm512_sub_ps,
    };

    use super::Lanes;

    /// AVX-512: one register a vector. Made only by [`Avx512::detect`].
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Avx512(());

    /// AVX2 with FMA: two registers a vector. Made only by [`Avx2::detect`].
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Avx2(());

    impl Avx512 {
        pub(in super::super) fn detect() -> Option<Self> {
            let there = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            (there && Avx2::detect().is_some()).then_some(Self(()))
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
    impl Lanes for Avx512 {
        type V = __m512;
        const WIDE: bool = true;

        #[inline(always)]
        fn run<R>(self, work: impl FnOnce() -> R) -> R {
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn compiled_for<R>(work: impl FnOnce() -> R) -> R {
                work()
            }
            unsafe { compiled_for(work) }
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
    }

    type Pair = [__m256; 2];

    impl Lanes for Avx2 {
        type V = Pair;
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
    }
}
