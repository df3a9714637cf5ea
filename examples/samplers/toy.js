// A sampler program for Node.js: half of the time it changes the best trial that it knows a little.
const lines = require("readline").createInterface({ input: process.stdin });
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
let space, sign, best = {}, bestLoss = Infinity;

function draw(parameter, near) {
  const values = parameter.choices || parameter.values || [parameter.value];
  if (!["float", "int"].includes(parameter.type)) return values[Math.floor(Math.random() * values.length)];
  const [to, back] = parameter.log ? [Math.log, Math.exp] : [Number, Number];
  const low = to(parameter.low), high = to(parameter.high), known = near[parameter.name];
  const place = known === undefined ? low + Math.random() * (high - low)
                                    : to(known) + (Math.random() - 0.5) * (high - low) / 4;
  const value = Math.min(Math.max(back(place), parameter.low), parameter.high);
  return parameter.type === "int" ? Math.round(value) : value;
}

lines.on("line", (line) => {
  const message = JSON.parse(line);
  if (message.type === "start") {
    space = message.space.parameters;
    sign = message.goal === "minimize" ? 1 : -1;
    say({ type: "ready", protocol: 1, name: "toy.js" });
  } else if (message.type === "result" && message.metric !== null && sign * message.metric < bestLoss) {
    [best, bestLoss] = [message.hyperparameters, sign * message.metric];
  }
  for (let i = 0; i < (message.count || 0); i++) {
    const near = Math.random() < 0.5 ? best : {};
    const hyperparameters = Object.fromEntries(space.map((each) => [each.name, draw(each, near)]));
    say({ type: "suggestion", ask: message.id, hyperparameters });
  }
});
