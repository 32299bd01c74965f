"""Deskhand's encoder against others: the same weights, texts and threads, in turns.

    run.py --ours PATH/deskhand-eval [--model DIR] [--rounds 5] [--threads 2] [--work DIR]

First finds out what suits ONNX Runtime best: the plain or the fused graph, which batch size,
sorted by length or not. Then each round runs every encoder once, in a process of its own, and the
ratios are taken within the round, so that other work on the machine falls on both sides alike.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FIELDS = [("tokens_per_second", "tokens/s"), ("single_p50_ms", "one text p50, ms"),
          ("single_p99_ms", "p99, ms"), ("peak_rss_mb", "peak memory, MB")]


def options():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--model", type=pathlib.Path,
                        default=cache / "deskhand/models/all-MiniLM-L6-v2")
    parser.add_argument("--work", type=pathlib.Path, default=cache / "deskhand/peers-work")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--without", nargs="*", default=[])
    return parser.parse_args()


def run(command):
    output = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE)
    return json.loads(output.stdout.splitlines()[-1])


def main():
    args = options()
    args.work.mkdir(parents=True, exist_ok=True)
    texts = args.work / "texts.jsonl"
    with texts.open("w", encoding="utf-8") as file:
        subprocess.run([sys.executable, HERE / "texts.py"], check=True, stdout=file)
    if not (args.work / "fused.onnx").exists():
        subprocess.run([sys.executable, HERE / "export.py", args.model, args.work], check=True)

    def peer(engine, *more):
        return [sys.executable, HERE / "peer.py", engine, "--model", args.model, "--texts", texts,
                "--threads", args.threads, *more]

    def tuned(engine, graphs, batches, orders):
        best = None
        for graph in graphs:
            for batch in batches:
                for order in orders:
                    more = ["--batch", batch, *order]
                    if graph:
                        more += ["--onnx", args.work / graph]
                    result = run(peer(engine, *more, "--quick"))
                    print(f"  {graph or ''} {result['encoder']}: "
                          f"{result['tokens_per_second']} tokens/s", file=sys.stderr)
                    if best is None or result["tokens_per_second"] > best[0]:
                        best = (result["tokens_per_second"], more)
        return peer(engine, *best[1])

    both = [[], ["--unsorted"]]
    ours = [args.ours, "bench-embed", "--texts", texts, "--max-tokens", 256,
            "--threads", args.threads, "--json"]
    contenders = {
        "deskhand": ours,
        "deskhand, int8": [*ours, "--precision", "int8"],
        "onnxruntime": tuned("onnxruntime", ["plain.onnx", "fused.onnx"], [1, 8, 32], both),
    }
    if "openvino" not in args.without:
        contenders["openvino"] = tuned("openvino", ["plain.onnx"], [1, 8, 32], [[]])
    if "sentence-transformers" not in args.without:
        contenders["sentence-transformers"] = tuned("sentence-transformers", [None], [8, 32], [[]])

    rounds = []
    for number in range(args.rounds):
        rounds.append({name: run(command) for name, command in contenders.items()})
        print(f"round {number + 1}: " + ", ".join(
            f"{name} {result['tokens_per_second']:.0f}" for name, result in rounds[-1].items()
        ), file=sys.stderr)

    print(f"{args.rounds} rounds, {args.threads} threads, {rounds[0]['deskhand']['texts']} texts; "
          "medians, and in brackets the median of each round's ratio of deskhand to the other")
    for name in contenders:
        line = []
        for field, title in FIELDS:
            values = [r[name][field] for r in rounds]
            ratio = statistics.median(r["deskhand"][field] / r[name][field] for r in rounds)
            line.append(f"{title} {statistics.median(values):.1f} ({ratio:.2f})")
        print(f"{name:22} " + "; ".join(line) + f"  [{rounds[0][name]['encoder']}]")


if __name__ == "__main__":
    main()
