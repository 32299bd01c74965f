"""Runs one other encoder on a file of texts and prints what `deskhand-eval bench-embed` prints.

    peer.py onnxruntime|openvino|sentence-transformers --model DIR --texts FILE --threads N
        [--onnx FILE] [--max-tokens N] [--batch N] [--unsorted] [--quick]
"""

import argparse
import json
import os
import pathlib
import resource
import time


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--onnx", type=pathlib.Path)
    parser.add_argument("--texts", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--unsorted", action="store_true")
    parser.add_argument("--quick", action="store_true", help="throughput alone, for tuning")
    return parser.parse_args()


class Graph:
    """An exported graph; its runner takes padded ids and their mask and returns unit vectors."""

    def __init__(self, model, max_tokens):
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self.tokenizer.enable_truncation(max_tokens)
        self.tokenizer.enable_padding()

    def tokens(self, texts):
        return [sum(e.attention_mask) for e in self.tokenizer.encode_batch(texts)]

    def prepare(self, texts):
        import numpy as np

        encoded = self.tokenizer.encode_batch(texts)
        ids = np.array([e.ids for e in encoded], dtype=np.int64)
        return ids, np.array([e.attention_mask for e in encoded], dtype=np.int64)

    def embed(self, texts, batch, in_order):
        # Padding is per batch, so batches of equal lengths waste least. Characters stand for
        # tokens, which are known only later.
        order = list(range(len(texts)))
        if not in_order:
            order.sort(key=lambda n: len(texts[n]))
        vectors = [None] * len(texts)
        for start in range(0, len(order), batch):
            some = order[start : start + batch]
            for n, vector in zip(some, self.run(*self.prepare([texts[n] for n in some]))):
                vectors[n] = vector
        return vectors


class OnnxRuntime(Graph):
    def __init__(self, args):
        import onnxruntime

        super().__init__(args.model, args.max_tokens)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = args.threads
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            str(args.onnx), settings, providers=["CPUExecutionProvider"]
        )

    def run(self, ids, mask):
        return self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


class OpenVino(Graph):
    def __init__(self, args):
        import openvino

        super().__init__(args.model, args.max_tokens)
        core = openvino.Core()
        hints = {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY",
                 "INFERENCE_PRECISION_HINT": "f32"}
        self.compiled = core.compile_model(str(args.onnx), "CPU", hints)

    def run(self, ids, mask):
        return self.compiled({"input_ids": ids, "attention_mask": mask})[0]


class SentenceTransformers:
    def __init__(self, args):
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.models import Normalize, Pooling, Transformer

        torch.set_num_threads(args.threads)
        words = Transformer(str(args.model), max_seq_length=args.max_tokens)
        self.model = SentenceTransformer(
            modules=[words, Pooling(384, "mean"), Normalize()], device="cpu"
        )
        self.tokenizer = words.tokenizer
        self.max_tokens = args.max_tokens

    def tokens(self, texts):
        encoded = self.tokenizer(texts, truncation=True, max_length=self.max_tokens)
        return [len(ids) for ids in encoded["input_ids"]]

    def embed(self, texts, batch, in_order):
        return self.model.encode(texts, batch_size=batch)

    def prepare(self, texts):
        return (self.model.preprocess(texts),)

    def run(self, features):
        import torch

        with torch.inference_mode():
            return self.model(features)["sentence_embedding"]


ENGINES = {
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "sentence-transformers": SentenceTransformers,
}


def main():
    args = options()
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    texts = [json.loads(line) for line in args.texts.read_text(encoding="utf-8").splitlines()]
    engine = ENGINES[args.engine](args)
    lengths = engine.tokens(texts)
    engine.embed(texts[: 4 * args.batch], args.batch, args.unsorted)
    start = time.perf_counter()
    vectors = engine.embed(texts, args.batch, args.unsorted)
    seconds = time.perf_counter() - start
    result = {
        "texts": len(texts),
        "tokens": sum(lengths),
        "texts_per_second": round(len(texts) / seconds, 1),
        "tokens_per_second": round(sum(lengths) / seconds, 1),
        "threads": args.threads,
        "encoder": f"{args.engine}, batches of {args.batch}{', unsorted' * args.unsorted}",
    }
    if not args.quick:
        median = sorted(range(len(texts)), key=lambda n: lengths[n])[len(texts) // 2]
        inputs = engine.prepare([texts[median]])
        times = []
        for _ in range(220):
            start = time.perf_counter()
            engine.run(*inputs)
            times.append((time.perf_counter() - start) * 1e3)
        times = sorted(times[20:])
        result["single_p50_ms"] = round(times[len(times) // 2], 3)
        result["single_p99_ms"] = round(times[len(times) * 99 // 100], 3)
        result["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        result["first"] = [float(x) for x in list(vectors[0])[:4]]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
