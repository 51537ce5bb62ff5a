"""What serve.mjs is, for contenders in Python."""

import json
import sys
from time import perf_counter

SAMPLE_TIME = 0.015
WARM_UPS, LEAST = 3, 5


def serve(start, prepare):
    """prepare(program) returns (step, finish); finish is None where steps return when their work is done."""
    program, prepared = None, None
    for line in sys.stdin:
        request = json.loads(line)
        if "threads" in request:
            answer = start(request["threads"])
        else:
            if request["program"] != program:
                program, prepared = request["program"], None  # frees the last one's memory first
                prepared = prepare(program)
            answer = {"times": sample(*prepared, request["seconds"])}
        print(json.dumps(answer), flush=True)


def sample(step, finish, seconds):
    def elapsed(count):
        start = perf_counter()
        for _ in range(count):
            step()
        if finish:
            finish()
        return perf_counter() - start

    # Warms up, and finds how many steps fill a sample.
    count, short, done, warm = 1, True, 0, perf_counter() + seconds / 2
    while short or done < WARM_UPS or perf_counter() < warm:
        short = elapsed(count) < SAMPLE_TIME
        done += 1
        if short:
            count *= 2
    times = []
    end = perf_counter() + seconds
    while len(times) < LEAST or perf_counter() < end:
        times.append(1e6 * elapsed(count) / count)
    return times
