"""What 8-bit products would cost in accuracy, and whether that is worth their speed.

    int8.py MODEL_DIR DATA.jsonl[.gz]

DATA has `body`, `category` and `split` (train or test), as Banking77 does. Each linear layer is
rounded as an integer kernel would: weights to signed bytes with a scale for each output, inputs to
unsigned bytes with a scale and a zero for each token. Prints for both encoders how often the
nearest neighbours and a logistic regression, fitted on the training split, are right on the test
split.
"""

import gzip
import json
import pathlib
import sys

import numpy
import torch
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer
from transformers import AutoModel

BATCH = 64
NEIGHBOURS = 10


class Rounded(torch.nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.linear = linear
        scale = linear.weight.data.abs().amax(1, keepdim=True) / 127
        linear.weight.data = torch.round(linear.weight.data / scale) * scale

    def forward(self, x):
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        scale = (high - low) / 255 + 1e-12
        zero = torch.round(-low / scale)
        return self.linear((torch.clamp(torch.round(x / scale) + zero, 0, 255) - zero) * scale)


def rounded(model):
    for layer in model.encoder.layer:
        own = layer.attention.self
        own.query, own.key, own.value = map(Rounded, (own.query, own.key, own.value))
        for part in (layer.attention.output, layer.intermediate, layer.output):
            part.dense = Rounded(part.dense)
    return model


def embed(model, tokenizer, texts):
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    vectors = [None] * len(texts)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            encoded = tokenizer.encode_batch([texts[n] for n in some])
            ids = torch.tensor([e.ids for e in encoded])
            mask = torch.tensor([e.attention_mask for e in encoded])
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
            mean = (hidden * mask.unsqueeze(-1)).sum(1)
            for n, vector in zip(some, torch.nn.functional.normalize(mean, dim=1).numpy()):
                vectors[n] = vector
    return numpy.stack(vectors)


def main():
    model, data = map(pathlib.Path, sys.argv[1:3])
    with (gzip.open if data.suffix == ".gz" else open)(data, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    labels = numpy.array([row["category"] for row in rows])
    train = numpy.array([row["split"] == "train" for row in rows])
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    for name, change in (("f32", lambda m: m), ("int8", rounded)):
        bert = change(AutoModel.from_pretrained(model, dtype=torch.float32).eval())
        vectors = embed(bert, tokenizer, [row["body"] for row in rows])
        scores = vectors[~train] @ vectors[train].T
        known, truth = labels[train], labels[~train]
        nearest = (known[scores.argmax(1)] == truth).mean()
        votes = []
        for row, near in zip(scores, numpy.argpartition(-scores, NEIGHBOURS, 1)[:, :NEIGHBOURS]):
            tally = {}
            for n in near:
                tally[known[n]] = tally.get(known[n], 0) + numpy.exp(10 * row[n])
            votes.append(max(tally, key=tally.get))
        fitted = LogisticRegression(C=30, max_iter=300).fit(vectors[train], known)
        print(f"{name:5} nearest {100 * nearest:.2f} %  "
              f"{NEIGHBOURS} nearest {100 * (numpy.array(votes) == truth).mean():.2f} %  "
              f"logistic regression {100 * fitted.score(vectors[~train], truth):.2f} %", flush=True)


if __name__ == "__main__":
    main()
