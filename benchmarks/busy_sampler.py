"""A sampler program that suggests at random, at once, while a process beside it uses all the CPU that it gets."""

from __future__ import annotations

import json
import os
import random
import sys


def main() -> None:
    if os.fork() == 0:
        # As a model that is fitted all the time. Its guard ends it.
        while True:
            pass
    sys.stdin.readline()
    print(json.dumps({"type": "ready", "protocol": 1, "name": "busy"}), flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        for _ in range(message["count"] if message["type"] == "ask" else 0):
            hparams = {
                "learning_rate": 10 ** random.uniform(-4, 0),
                "width": random.randint(8, 512),
                "activation": random.choice(["relu", "tanh"]),
            }
            print(json.dumps({"type": "suggestion", "ask": message["id"], "hyperparameters": hparams}), flush=True)


if __name__ == "__main__":
    main()
