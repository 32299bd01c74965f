"""OpenBLAS (numpy's) at the encoder's four products, for comparison: GFLOP/s on two threads."""

import os
import statistics
import time

os.environ["OPENBLAS_NUM_THREADS"] = "2"

import numpy  # noqa: E402  (reads the setting above)

for tokens, inputs, outputs in [(4096, 384, 1152), (4096, 384, 384), (4096, 384, 1536),
                                (4096, 1536, 384), (107, 384, 1536)]:
    x = numpy.random.rand(tokens, inputs).astype("float32")
    weights = numpy.random.rand(inputs, outputs).astype("float32")
    out = numpy.empty((tokens, outputs), "float32")
    times = []
    for _ in range(40):
        start = time.perf_counter()
        numpy.matmul(x, weights, out=out)
        times.append(time.perf_counter() - start)
    work = 2 * tokens * inputs * outputs / 1e9
    print(f"{tokens} x {inputs} x {outputs}: median {work / statistics.median(times):.0f}, "
          f"best {work / min(times):.0f}")
