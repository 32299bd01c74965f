//! Kernels that the compiler vectorises, for the processor at hand.

use pulp::Arch;

/// Runs a kernel with the widest instruction set that the processor has. The bound is what makes a
/// closure here one that is called once; any other would be called by way of a function that is
/// compiled for the narrowest.
#[inline(always)]
pub(crate) fn widest<R>(kernel: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(kernel)
}
