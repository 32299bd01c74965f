//! The encoder's three operations that are no matrix product, each in two versions.
//!
//! On the CPU they are fused kernels with gradients of their own: a tenth of the passes over
//! memory. Elsewhere they are put together from candle's primitives, whose gradients candle
//! derives, and that version is also what the tests hold the kernels to. candle's own `LayerNorm`
//! and `softmax_last_dim` have no gradient; what lies before them would silently learn nothing.

use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, D, Device, Layout, Result, Shape, Storage, Tensor, bail,
};

use super::kernels::{self, Norm, Packing};
use super::noise::Dropout;

/// Which version runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Kernels on the CPU.
    Fused,
    /// candle's primitives, on any device.
    Primitive,
}

impl Version {
    /// The faster one that the device has.
    pub(super) fn on(device: &Device) -> Self {
        if device.is_cpu() { Self::Fused } else { Self::Primitive }
    }

    /// `gelu(x + bias)`: `[tokens, n]` and `[n]` to `[tokens, n]`.
    pub(super) fn bias_gelu(self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        if self == Self::Fused {
            return x.apply_op2(bias, BiasGelu);
        }
        let z = x.broadcast_add(bias)?;
        let cdf = ((&z * std::f64::consts::FRAC_1_SQRT_2)?.erf()? + 1.0)?;
        (z * cdf)? * 0.5
    }

    /// `LayerNorm(residual + dropout(x + bias))`: `[tokens, n]` twice and bias, scale and shift in
    /// one `[3, n]`, to `[tokens, n]`.
    pub(super) fn add_norm(
        self,
        x: &Tensor,
        residual: &Tensor,
        parameters: &Tensor,
        eps: f32,
        dropout: Dropout,
    ) -> Result<Tensor> {
        if self == Self::Fused {
            return x.apply_op3(residual, parameters, AddNorm { eps, dropout });
        }
        let part = |n| parameters.narrow(0, n, 1);
        let x = x.broadcast_add(&part(0)?)?;
        let x = (residual + (&x * factors(x.shape(), 0, dropout, x.device())?)?)?;
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + f64::from(eps))?.sqrt()?;
        centred.broadcast_div(&deviation)?.broadcast_mul(&part(1)?)?.broadcast_add(&part(2)?)
    }

    /// Self-attention within each sequence: `[tokens, 3 × hidden]` and its bias `[3 × hidden]` to
    /// `[tokens, hidden]`.
    pub(super) fn attention(
        self,
        qkv: &Tensor,
        bias: &Tensor,
        packing: &Packing,
    ) -> Result<Tensor> {
        if self == Self::Fused {
            return qkv.apply_op2(bias, Attention(packing.clone()));
        }
        let device = qkv.device();
        let hidden = bias.elem_count() / 3;
        let width = hidden / packing.heads;
        let (count, longest) =
            (packing.lengths.len(), packing.lengths.iter().copied().max().unwrap_or(0));
        // Where each padded row comes from, which keys are there, and where each token went.
        let (mut from, mut to) = (vec![0u32; count * longest], Vec::new());
        let mut hidden_keys = vec![f32::NEG_INFINITY; count * longest];
        let mut kept = vec![1.0; count * packing.heads * longest * longest];
        let mut place = 0;
        for (sequence, &tokens) in packing.lengths.iter().enumerate() {
            for n in 0..tokens {
                from[sequence * longest + n] = to.len() as u32;
                hidden_keys[sequence * longest + n] = 0.0;
                to.push((sequence * longest + n) as u32);
            }
            for head in 0..packing.heads {
                for n in 0..tokens {
                    let row = ((sequence * packing.heads + head) * longest + n) * longest;
                    for m in 0..tokens {
                        kept[row + m] = packing.dropout.factor(place);
                        place += 1;
                    }
                }
            }
        }
        let tensor =
            |values, shape: (usize, usize, usize, usize)| Tensor::from_vec(values, shape, device);
        let hidden_keys = tensor(hidden_keys, (count, 1, 1, longest))?;
        let kept = tensor(kept, (count, packing.heads, longest, longest))?;
        let rows = qkv
            .broadcast_add(bias)?
            .index_select(&Tensor::from_vec(from, count * longest, device)?, 0)?
            .reshape((count, longest, 3, packing.heads, width))?;
        let part = |n| rows.narrow(2, n, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let scores = (part(0)?.matmul(&part(1)?.t()?)? / (width as f64).sqrt())?;
        let scores = scores.broadcast_add(&hidden_keys)?;
        let exp = scores.broadcast_sub(&scores.detach().max_keepdim(D::Minus1)?)?.exp()?;
        let probabilities = exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?;
        (probabilities * kept)?
            .matmul(&part(2)?)?
            .transpose(1, 2)?
            .reshape((count * longest, hidden))?
            .index_select(&Tensor::from_vec(to.clone(), to.len(), device)?, 0)
    }
}

/// A dropout's factors as a tensor, its places from `first` on.
pub(super) fn factors(
    shape: &Shape,
    first: usize,
    dropout: Dropout,
    device: &Device,
) -> Result<Tensor> {
    let places = first..first + shape.elem_count();
    Tensor::from_vec(places.map(|n| dropout.factor(n)).collect::<Vec<f32>>(), shape, device)
}

struct BiasGelu;

impl CustomOp2 for BiasGelu {
    fn name(&self) -> &'static str {
        "bias-gelu"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = kernels::bias_gelu(slice(x, x_layout)?, slice(bias, bias_layout)?);
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dbias) =
            values([x, bias, grad], |[x, bias, grad]| kernels::bias_gelu_gradient(x, bias, grad))?;
        Ok((Some(like(dx, x)?), Some(like(dbias, bias)?)))
    }
}

struct AddNorm {
    eps: f32,
    dropout: Dropout,
}

impl CustomOp3 for AddNorm {
    fn name(&self) -> &'static str {
        "add-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let norm = Norm::new(slice(parameters, parameters_layout)?, self.eps);
        let (x, residual) = (slice(x, x_layout)?, slice(residual, residual_layout)?);
        let y = kernels::add_norm(x, residual, norm, self.dropout);
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        residual: &Tensor,
        parameters: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dresidual, dparameters] =
            values([x, residual, parameters, grad], |[x, residual, parameters, grad]| {
                let norm = Norm::new(parameters, self.eps);
                kernels::add_norm_gradient(x, residual, norm, self.dropout, grad)
            })?;
        let gradients = (like(dx, x)?, like(dresidual, x)?, like(dparameters, parameters)?);
        Ok((Some(gradients.0), Some(gradients.1), Some(gradients.2)))
    }
}

struct Attention(Packing);

impl CustomOp2 for Attention {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(
        &self,
        qkv: &CpuStorage,
        qkv_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (tokens, width) = qkv_layout.shape().dims2()?;
        let out = kernels::attention(slice(qkv, qkv_layout)?, slice(bias, bias_layout)?, &self.0);
        Ok((CpuStorage::F32(out), Shape::from((tokens, width / 3))))
    }

    fn bwd(
        &self,
        qkv: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dqkv, dbias) = values([qkv, bias, grad], |[qkv, bias, grad]| {
            kernels::attention_gradient(qkv, bias, &self.0, grad)
        })?;
        Ok((Some(like(dqkv, qkv)?), Some(like(dbias, bias)?)))
    }
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("expected a contiguous f32 tensor"),
    }
}

/// Hands the values of tensors on the CPU to a kernel, without copying contiguous ones.
pub(super) fn values<const N: usize, R>(
    tensors: [&Tensor; N],
    kernel: impl FnOnce([&[f32]; N]) -> R,
) -> Result<R> {
    let tensors: Vec<Tensor> = tensors.iter().map(|t| t.contiguous()).collect::<Result<_>>()?;
    let guards: Vec<_> = tensors.iter().map(Tensor::storage_and_layout).collect();
    let mut slices = [&[][..]; N];
    for (out, (storage, layout)) in slices.iter_mut().zip(&guards) {
        *out = match &**storage {
            Storage::Cpu(storage) => slice(storage, layout)?,
            _ => bail!("expected a tensor on the CPU"),
        };
    }
    Ok(kernel(slices))
}

fn like(values: Vec<f32>, tensor: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, tensor.shape(), tensor.device())
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;
    use crate::finetune::noise::key;

    /// Values from −1 to 1 that a seed decides.
    fn random(shape: impl Into<Shape>, seed: u64) -> Var {
        let shape = shape.into();
        let uniform = |n| (key(&[seed, n as u64]) >> 40) as f32 / (1 << 23) as f32 - 1.0;
        let values: Vec<f32> = (0..shape.elem_count()).map(uniform).collect();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
    }

    /// Result and gradients of both versions, weighted so that every element counts differently.
    fn compare(inputs: &[&Var], run: impl Fn(Version) -> Result<Tensor>) {
        let outcome = |version| {
            let out: Tensor = run(version).unwrap();
            let weights = random(out.shape(), 99);
            let loss = (&out * weights.as_tensor()).unwrap().sum_all().unwrap();
            let gradients = loss.backward().unwrap();
            let mut all = vec![out];
            all.extend(inputs.iter().map(|input| gradients.get(input).unwrap().clone()));
            all
        };
        let pairs = outcome(Version::Fused).into_iter().zip(outcome(Version::Primitive));
        for (n, (fused, primitive)) in pairs.enumerate() {
            assert_eq!(fused.dims(), primitive.dims());
            let gap = (&fused - &primitive).unwrap().abs().unwrap();
            let gap = gap.flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
            assert!(gap < 2e-5, "output {n}: {gap}");
        }
    }

    #[test]
    fn kernels_have_the_gradients_that_candle_derives() {
        let dropout = Dropout::new(3, 0.3);
        let (x, bias) = (random((7, 24), 1), random(24, 2));
        compare(&[&x, &bias], |v| v.bias_gelu(&(x.as_tensor() * 3.0)?, &bias));
        let (residual, parameters) = (random((7, 24), 3), random((3, 24), 4));
        for dropout in [dropout, Dropout::new(0, 0.0)] {
            compare(&[&x, &residual, &parameters], |v| {
                v.add_norm(&x, &residual, &parameters, 1e-6, dropout)
            });
            let packing = Packing { lengths: vec![1, 4, 2], heads: 2, dropout };
            compare(&[&x, &bias], |v| v.attention(&(x.as_tensor() * 2.0)?, &bias, &packing));
        }
    }
}
