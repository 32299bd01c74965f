"""A made-up history of any size, one JSON ticket a line: to see what time and memory a fit takes.

    python3 eval/history.py --tickets 200000 --labels 60 > history.jsonl
    deskhand-train fit --data history.jsonl --out bundle

It is drawn from the sample history's words, as frequent as they are there; a label has words of its
own beside them, and some labels are far more frequent than others. With --distinct, tickets come
again, so that there are fewer to embed.
"""

import argparse
import collections
import itertools
import json
import pathlib
import random
import re

SAMPLE = pathlib.Path(__file__).resolve().parent / "sample"
OWN = 30


def vocabulary():
    texts = (path.read_text(encoding="utf-8") for path in sorted(SAMPLE.glob("*.jsonl")))
    rows = [json.loads(line) for text in texts for line in text.splitlines()]
    said = " ".join(row.get("body") or "" for row in rows).lower()
    return collections.Counter(re.findall(r"[^\W\d_]{2,}", said)).most_common()


def tickets(count, labels, length, rng):
    counted = vocabulary()
    words = [word for word, _ in counted]
    weights = list(itertools.accumulate(n for _, n in counted))
    rare = words[len(words) // 20 :]
    own = [rng.sample(rare, OWN) for _ in range(labels)]
    for n in range(count):
        label = n if n < labels else int(labels * rng.random() ** 2)
        size = max(6, round(rng.gauss(length, length / 3)))
        text = rng.choices(words, cum_weights=weights, k=size)
        for at in rng.sample(range(size), max(2, size // 6)):
            text[at] = rng.choice(own[label])
        yield {"subject": " ".join(text[:5]), "body": " ".join(text[5:]), "category": f"label {label}"}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tickets", type=int, default=33_000)
    parser.add_argument("--distinct", type=int, help="of these; all of them by default")
    parser.add_argument("--labels", type=int, default=60)
    parser.add_argument("--words", type=int, default=40, help="of a ticket, in the mean")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    distinct = min(args.distinct or args.tickets, args.tickets)
    made = list(tickets(distinct, args.labels, args.words, random.Random(args.seed)))
    for ticket in itertools.islice(itertools.cycle(made), args.tickets):
        print(json.dumps(ticket, ensure_ascii=False))
