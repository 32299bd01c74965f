//! The [`kernels`] as candle operations on contiguous `f32` tensors.

use candle_core::{CpuStorage, CustomOp1, InplaceOp1, InplaceOp2, Layout, Result, Shape, bail};

use super::kernels;

/// `x ← gelu(x + bias)`; `x` is `[tokens, bias.len()]`.
pub(super) struct BiasGelu {
    /// One value a column.
    pub bias: Vec<f32>,
}

impl InplaceOp1 for BiasGelu {
    fn name(&self) -> &'static str {
        "bias-gelu"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        kernels::bias_gelu(values_mut(storage, layout)?, &self.bias);
        Ok(())
    }
}

/// `x ← LayerNorm(x + bias + residual)`; all `[tokens, gamma.len()]`.
pub(super) struct AddNorm {
    /// Of the linear layer before.
    pub bias: Vec<f32>,
    /// `LayerNorm`'s scale.
    pub gamma: Vec<f32>,
    /// `LayerNorm`'s shift.
    pub beta: Vec<f32>,
    /// `LayerNorm`'s ε.
    pub eps: f32,
}

impl InplaceOp2 for AddNorm {
    fn name(&self) -> &'static str {
        "add-norm"
    }

    fn cpu_fwd(
        &self,
        storage: &mut CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<()> {
        let x = values_mut(storage, layout)?;
        let residual = values(residual, residual_layout)?;
        kernels::add_norm(x, residual, &self.bias, &self.gamma, &self.beta, self.eps);
        Ok(())
    }
}

/// `[tokens, 3 × hidden]` → `[tokens, hidden]`: self-attention within each packed sequence.
pub(super) struct Attention<'a> {
    /// Of the fused query, key and value layer.
    pub bias: &'a [f32],
    /// Tokens of each sequence, in order.
    pub lengths: &'a [usize],
    /// Attention heads.
    pub heads: usize,
}

impl CustomOp1 for Attention<'_> {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, width) = layout.shape().dims2()?;
        let mut out = vec![0.0; tokens * width / 3];
        kernels::attention(values(storage, layout)?, self.bias, self.lengths, self.heads, &mut out);
        Ok((CpuStorage::F32(out), Shape::from((tokens, width / 3))))
    }
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("expected a contiguous f32 tensor"),
    }
}

fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("expected a contiguous f32 tensor"),
    }
}
