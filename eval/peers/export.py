"""Exports a checkpoint's forward pass, mean pooling and norm included, as fp32 ONNX.

    export.py MODEL_DIR OUT_DIR

Writes plain.onnx as torch exports it, and fused.onnx after ONNX Runtime's own transformer
optimizer; which is faster is measured.
"""

import pathlib
import sys

import torch
from transformers import AutoModel


class Pooled(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(mean, dim=1)


def main():
    model, out = map(pathlib.Path, sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    bert = AutoModel.from_pretrained(model, attn_implementation="eager", dtype=torch.float32)
    example = (torch.tensor([[101, 7592, 102]] * 2), torch.ones(2, 3, dtype=torch.int64))
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        Pooled(bert.eval()), example, str(out / "plain.onnx"), dynamo=False,
        input_names=["input_ids", "attention_mask"], output_names=["embedding"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "batch"}},
    )
    from onnxruntime.transformers import optimizer

    fused = optimizer.optimize_model(
        str(out / "plain.onnx"), model_type="bert", num_heads=bert.config.num_attention_heads,
        hidden_size=bert.config.hidden_size, opt_level=0,
    )
    fused.save_model_to_file(str(out / "fused.onnx"))
    print(fused.get_fused_operator_statistics(), file=sys.stderr)


if __name__ == "__main__":
    main()
