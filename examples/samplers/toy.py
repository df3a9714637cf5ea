"""A sampler program without any package: half of the time it changes the best trial that it knows a little."""

import json
import math
import random
import sys


def draw(parameter, best):
    """A value: any one, or near that of the best trial."""
    if parameter["type"] not in ("float", "int"):
        return random.choice(parameter.get("choices") or parameter.get("values") or [parameter.get("value")])
    to, back = (math.log, math.exp) if parameter["log"] else (float, float)
    low, high, name = to(parameter["low"]), to(parameter["high"]), parameter["name"]
    place = random.gauss(to(best[name]), (high - low) / 8) if name in best else random.uniform(low, high)
    value = min(max(back(min(max(place, low), high)), parameter["low"]), parameter["high"])
    return round(value) if parameter["type"] == "int" else value


space, sign, best, best_loss = [], 1, {}, math.inf
for message in map(json.loads, sys.stdin):
    if message["type"] == "start":
        space, sign = message["space"]["parameters"], 1 if message["goal"] == "minimize" else -1
        print(json.dumps({"type": "ready", "protocol": 1, "name": "toy"}), flush=True)
    elif message["type"] == "result" and message["metric"] is not None and sign * message["metric"] < best_loss:
        best, best_loss = message["hyperparameters"], sign * message["metric"]
    for _ in range(message.get("count", 0)):
        found = {each["name"]: draw(each, best if random.random() < 0.5 else {}) for each in space}
        print(json.dumps({"type": "suggestion", "ask": message["id"], "hyperparameters": found}), flush=True)
