//! Products of tiles (Intel AMX), where processor and system have them: twelve outputs by sixteen
//! tokens by 64 bytes of inputs in one instruction, of numbers of eight bits or of sixteen.

/// Rows of a tile of inputs.
pub(super) const DEEP: usize = 16;

pub(super) use tiles::Tiles;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod tiles {
    #![expect(unsafe_code, reason = "tile instructions; a `Tiles` is proof that they are there")]
    #![expect(clippy::unused_self, reason = "that proof is all there is to it")]

    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;
    use std::sync::OnceLock;

    use super::DEEP;
    use crate::model::engine::layout::Line;
    use crate::model::engine::linear::PANEL;

    /// The processor's tiles. Made only by [`Tiles::detect`].
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Tiles(());

    /// How the eight tiles are used: 0 to 3 for results, 4 and 5 for weights, 6 and 7 for inputs.
    #[repr(C, align(64))]
    struct Shapes([u8; 64]);

    static SHAPES: Shapes = Shapes({
        let mut shapes = [0; 64];
        shapes[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            shapes[16 + 2 * tile] = 64;
            shapes[48 + tile] = if tile < 6 { PANEL as u8 } else { DEEP as u8 };
            tile += 1;
        }
        shapes
    });

    /// Instructions over two panels' weights `a` and `b`, inputs `x`, and results `c` and `d`, with
    /// the bytes from one of their rows to the next: `line` for weights, `wide` for the others.
    macro_rules! multiply {
        (($a:ident, $b:ident, $x:ident, $c:ident, $d:ident, $steps:ident, $W:ident),
         $($instruction:literal),+ $(,)?) => {
            asm!(
                $($instruction),+,
                a = inout(reg) $a.as_ptr() => _,
                b = inout(reg) $b.as_ptr() => _,
                x = inout(reg) $x.as_ptr() => _,
                c = in(reg) $c.as_mut_ptr(),
                d = in(reg) $d.as_mut_ptr(),
                steps = inout(reg) $steps => _,
                line = in(reg) 64_usize,
                wide = in(reg) $W * 4,
                options(nostack)
            )
        };
    }

    impl Tiles {
        /// Asks processor and kernel, once.
        pub(in super::super) fn detect() -> Option<Self> {
            static FOUND: OnceLock<bool> = OnceLock::new();
            FOUND.get_or_init(|| has_tiles() && may_use_tiles()).then_some(Self(()))
        }

        /// Runs work in which tiles have their shapes, and gives them back.
        #[inline(always)]
        pub(in super::super) fn shaped<R>(self, work: impl FnOnce() -> R) -> R {
            // SAFETY: the instructions are there, and the shapes are valid.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPES, options(nostack)) };
            let result = work();
            // SAFETY: as above.
            unsafe { asm!("tilerelease", options(nostack)) };
            result
        }

        /// `out += weights · inputs` for two panels, within [`Tiles::shaped`]. The weights of a
        /// panel are, for each step of 32 inputs, [`PANEL`] lines of high halves and as
        /// many of low ones; `inputs` has for each step [`DEEP`] rows of pairs of high halves and
        /// as many of low ones, `W` tokens wide. `out` is `[PANEL, W]` twice.
        #[inline(always)]
        pub(in super::super) fn add_halves<const W: usize>(
            self,
            weights: [&[Line<[u32; 16]>]; 2],
            inputs: &[Line<[u32; 16]>],
            out: [&mut [f32]; 2],
        ) {
            let steps = weights[0].len() / (2 * PANEL);
            let [a, b] = weights;
            let [c, d] = out;
            assert!(steps > 0 && a.len() == b.len() && inputs.len() >= steps * 2 * DEEP * W / 16);
            assert!(c.len() == PANEL * W && d.len() == PANEL * W && (W == 16 || W == 32));
            // SAFETY: the instructions are there; tiles have their shapes; every step reads two
            // tiles of each panel and the rows of one step of inputs, of which there are enough,
            // and results are read and written row by row in slices of their size. Compiled code
            // uses no tiles of its own.
            unsafe {
                if W == 32 {
                    multiply!(
                        (a, b, inputs, c, d, steps, W),
                        "tileloadd tmm0, [{c} + 1*{wide}]",
                        "tileloadd tmm1, [{c} + 1*{wide} + 64]",
                        "tileloadd tmm2, [{d} + 1*{wide}]",
                        "tileloadd tmm3, [{d} + 1*{wide} + 64]",
                        "2:",
                        "tileloadd tmm4, [{a} + 1*{line}]",
                        "tileloadd tmm6, [{x} + 1*{wide} + 2048]",
                        "tileloadd tmm7, [{x} + 1*{wide} + 2112]",
                        "tileloadd tmm5, [{b} + 1*{line}]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "tdpbf16ps tmm1, tmm4, tmm7",
                        "tdpbf16ps tmm2, tmm5, tmm6",
                        "tdpbf16ps tmm3, tmm5, tmm7",
                        "tileloadd tmm6, [{x} + 1*{wide}]",
                        "tileloadd tmm7, [{x} + 1*{wide} + 64]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "tdpbf16ps tmm1, tmm4, tmm7",
                        "tdpbf16ps tmm2, tmm5, tmm6",
                        "tdpbf16ps tmm3, tmm5, tmm7",
                        "tileloadd tmm4, [{a} + 1*{line} + 768]",
                        "tileloadd tmm5, [{b} + 1*{line} + 768]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "tdpbf16ps tmm1, tmm4, tmm7",
                        "tdpbf16ps tmm2, tmm5, tmm6",
                        "tdpbf16ps tmm3, tmm5, tmm7",
                        "add {a}, 1536",
                        "add {b}, 1536",
                        "add {x}, 4096",
                        "dec {steps}",
                        "jnz 2b",
                        "tilestored [{c} + 1*{wide}], tmm0",
                        "tilestored [{c} + 1*{wide} + 64], tmm1",
                        "tilestored [{d} + 1*{wide}], tmm2",
                        "tilestored [{d} + 1*{wide} + 64], tmm3",
                    );
                } else {
                    multiply!(
                        (a, b, inputs, c, d, steps, W),
                        "tileloadd tmm0, [{c} + 1*{wide}]",
                        "tileloadd tmm2, [{d} + 1*{wide}]",
                        "2:",
                        "tileloadd tmm4, [{a} + 1*{line}]",
                        "tileloadd tmm6, [{x} + 1*{wide}]",
                        "tileloadd tmm5, [{b} + 1*{line}]",
                        "tileloadd tmm7, [{x} + 1*{wide} + 1024]",
                        "tdpbf16ps tmm0, tmm4, tmm7",
                        "tdpbf16ps tmm2, tmm5, tmm7",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "tdpbf16ps tmm2, tmm5, tmm6",
                        "tileloadd tmm4, [{a} + 1*{line} + 768]",
                        "tileloadd tmm5, [{b} + 1*{line} + 768]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "tdpbf16ps tmm2, tmm5, tmm6",
                        "add {a}, 1536",
                        "add {b}, 1536",
                        "add {x}, 2048",
                        "dec {steps}",
                        "jnz 2b",
                        "tilestored [{c} + 1*{wide}], tmm0",
                        "tilestored [{d} + 1*{wide}], tmm2",
                    );
                }
            }
        }

        /// Sums of signed weights times bytes, for two panels, within [`Tiles::shaped`]. The
        /// weights of a panel are, for each step of 64 inputs, [`PANEL`] lines; `inputs` has for
        /// each step [`DEEP`] rows of four bytes a token, `W` tokens wide.
        #[inline(always)]
        pub(in super::super) fn bytes<const W: usize>(
            self,
            weights: [&[Line<[i32; 16]>]; 2],
            inputs: &[Line<[u8; 64]>],
            out: [&mut [i32]; 2],
        ) {
            let steps = weights[0].len() / PANEL;
            let [a, b] = weights;
            let [c, d] = out;
            assert!(steps > 0 && a.len() == b.len() && inputs.len() >= steps * DEEP * W / 16);
            assert!(c.len() == PANEL * W && d.len() == PANEL * W && (W == 16 || W == 32));
            // SAFETY: as in `add_halves`.
            unsafe {
                if W == 32 {
                    multiply!(
                        (a, b, inputs, c, d, steps, W),
                        "tilezero tmm0",
                        "tilezero tmm1",
                        "tilezero tmm2",
                        "tilezero tmm3",
                        "2:",
                        "tileloadd tmm4, [{a} + 1*{line}]",
                        "tileloadd tmm6, [{x} + 1*{wide}]",
                        "tileloadd tmm7, [{x} + 1*{wide} + 64]",
                        "tileloadd tmm5, [{b} + 1*{line}]",
                        "tdpbsud tmm0, tmm4, tmm6",
                        "tdpbsud tmm1, tmm4, tmm7",
                        "tdpbsud tmm2, tmm5, tmm6",
                        "tdpbsud tmm3, tmm5, tmm7",
                        "add {a}, 768",
                        "add {b}, 768",
                        "add {x}, 2048",
                        "dec {steps}",
                        "jnz 2b",
                        "tilestored [{c} + 1*{wide}], tmm0",
                        "tilestored [{c} + 1*{wide} + 64], tmm1",
                        "tilestored [{d} + 1*{wide}], tmm2",
                        "tilestored [{d} + 1*{wide} + 64], tmm3",
                    );
                } else {
                    multiply!(
                        (a, b, inputs, c, d, steps, W),
                        "tilezero tmm0",
                        "tilezero tmm2",
                        "2:",
                        "tileloadd tmm4, [{a} + 1*{line}]",
                        "tileloadd tmm6, [{x} + 1*{wide}]",
                        "tileloadd tmm5, [{b} + 1*{line}]",
                        "tdpbsud tmm0, tmm4, tmm6",
                        "tdpbsud tmm2, tmm5, tmm6",
                        "add {a}, 768",
                        "add {b}, 768",
                        "add {x}, 1024",
                        "dec {steps}",
                        "jnz 2b",
                        "tilestored [{c} + 1*{wide}], tmm0",
                        "tilestored [{d} + 1*{wide}], tmm2",
                    );
                }
            }
        }
    }

    /// Tiles, and products of both kinds in them. Leaf 7 says so, if there is one.
    fn has_tiles() -> bool {
        const BF16: u32 = 1 << 22;
        const TILE: u32 = 1 << 24;
        const INT8: u32 = 1 << 25;
        if __cpuid_count(0, 0).eax < 7 || !is_x86_feature_detected!("avx512f") {
            return false;
        }
        __cpuid_count(7, 0).edx & (BF16 | TILE | INT8) == BF16 | TILE | INT8
    }

    /// The kernel keeps a process's tiles only for one that has asked for it.
    fn may_use_tiles() -> bool {
        const ARCH_REQ_XCOMP_PERM: libc::c_int = 0x1023;
        const XTILEDATA: libc::c_ulong = 18;
        // SAFETY: the call takes two numbers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0 }
    }

    const _: () = assert!(PANEL == 12, "what a step of weights takes is written out above");
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod tiles {
    use std::convert::Infallible;

    use crate::model::engine::layout::Line;

    /// Tiles, which there are none of here.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Tiles(Infallible);

    impl Tiles {
        pub(in super::super) const fn detect() -> Option<Self> {
            None
        }
        pub(in super::super) fn shaped<R>(self, _: impl FnOnce() -> R) -> R {
            match self.0 {}
        }
        pub(in super::super) fn add_halves<const W: usize>(
            self,
            _: [&[Line<[u32; 16]>]; 2],
            _: &[Line<[u32; 16]>],
            _: [&mut [f32]; 2],
        ) {
            match self.0 {}
        }
        pub(in super::super) fn bytes<const W: usize>(
            self,
            _: [&[Line<[i32; 16]>]; 2],
            _: &[Line<[u8; 64]>],
            _: [&mut [i32]; 2],
        ) {
            match self.0 {}
        }
    }
}
