"""The benchmark's texts: 512 tickets of the built-in sample history, one JSON string a line."""

import json
import pathlib

COUNT = 512
SAMPLE = pathlib.Path(__file__).resolve().parent.parent / "sample"


def texts():
    """Spread evenly over the year; the shortest fifth is left out, so that the mean is that of
    usual help-desk tickets, some 107 tokens."""
    rows = [
        json.loads(line)
        for path in sorted(SAMPLE.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    every = ["\n".join(filter(None, [row.get("subject"), row.get("body")])) for row in rows]
    shortest = sorted(map(len, every))[len(every) // 5]
    longer = [text for text in every if len(text) >= shortest]
    return [longer[n * len(longer) // COUNT] for n in range(COUNT)]


if __name__ == "__main__":
    for text in texts():
        print(json.dumps(text, ensure_ascii=False))
