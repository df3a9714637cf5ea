// Draws the figures that the page around this frame hands in. The frame has no origin: it can reach nothing by itself.
"use strict";
const container = document.getElementById("figures");
const narrow = 560;
const heightOfNarrow = 420;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const moving = { duration: 900, easing: "ease-in-out" };
const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

function say(message) { parent.postMessage(message, "*"); }

function section(kind, title, about) {
  const part = document.createElement("section");
  const heading = document.createElement("h2");
  const plot = document.createElement("div");
  heading.id = `title-${kind}`;
  heading.textContent = title;
  plot.id = `plot-${kind}`;
  plot.className = "plot";
  part.setAttribute("aria-labelledby", heading.id);
  part.append(heading);
  if (about) {
    const line = document.createElement("p");
    line.textContent = about;
    part.append(line);
  }
  const beside = document.createElement("p");
  beside.className = "beside";
  part.append(beside, plot);
  container.append(part);
  note(plot, "Loading …");
}

function note(plot, text) {
  if (plot.dataset.drawn) return;
  const line = document.createElement("p");
  line.className = "empty";
  line.textContent = text;
  plot.replaceChildren(line);
}

function trialOf(event) {
  const given = event.points[0].customdata;
  return Number(Array.isArray(given) ? given[0] : given);
}

// Where a window is narrow, what stands beside the legend stands above it, and two panels one above the other.
function fit(plot, layout) {
  if (innerWidth > narrow) return;
  const beside = layout.annotations?.find((each) => each.name === "subtitle");
  const line = plot.parentElement.querySelector("p.beside");
  line.textContent = beside ? beside.text : "";
  layout.annotations = layout.annotations?.filter((each) => each !== beside);
  if (!layout.height) layout.height = heightOfNarrow;
  if (!layout.xaxis2?.domain) return;
  layout.xaxis.domain = layout.xaxis2.domain = [0, 1];
  layout.yaxis.domain = [0.59, 1];
  layout.yaxis2.domain = [0, 0.41];
  layout.yaxis2.showticklabels = true;
  layout.height = 520;
}

// Where the marks stand that have names, such as the trials on the rungs.
function marks(plot) {
  const found = new Map();
  for (const mark of plot.querySelectorAll(".scatter .points path.point")) {
    const place = /translate\(([-\d.]+),\s*([-\d.]+)\)/.exec(mark.getAttribute("transform") ?? "");
    const name = mark.__data__?.id;
    if (place && name !== undefined) found.set(name, { mark, x: Number(place[1]), y: Number(place[2]) });
  }
  return found;
}

// Each mark goes from where it stood to where it stands, and new ones appear; Plotly's own way there bends the symbols.
function move(plot, before) {
  if (!before.size || calm.matches || document.hidden) return;
  for (const [name, { mark, x, y }] of marks(plot)) {
    const old = before.get(name);
    if (!old) mark.animate({ opacity: [0, 1] }, moving);
    else if (Math.abs(old.x - x) + Math.abs(old.y - y) > 0.5) {
      mark.animate({ transform: [`translate(${old.x}px, ${old.y}px)`, `translate(${x}px, ${y}px)`] }, moving);
    }
  }
  for (const note of plot.querySelectorAll(".annotation[data-index]")) {
    if (note.textContent.startsWith("best:")) note.animate({ opacity: [0, 0, 1] }, moving);
  }
}

async function draw(kind, text) {
  const plot = document.getElementById(`plot-${kind}`);
  const figure = JSON.parse(text);
  if (figure.nothing) {
    plot.classList.toggle("nothing", !plot.dataset.drawn);
    note(plot, figure.nothing);
    say({ kind: "drawn", figure: kind });
    return;
  }
  if (!plot.dataset.drawn) plot.replaceChildren();
  plot.classList.remove("nothing");
  // The card behind it shows through.
  Object.assign(figure.layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" });
  fit(plot, figure.layout);
  if (figure.layout.height) plot.style.height = `${figure.layout.height}px`;
  const before = marks(plot);
  await Plotly.react(plot, figure.data, figure.layout, config);
  move(plot, before);
  if (!plot.dataset.drawn) {
    plot.dataset.drawn = "yes";
    plot.on("plotly_click", (event) => {
      const trial = trialOf(event);
      if (Number.isInteger(trial) && trial >= 0) say({ kind: "open", trial });
    });
  }
  say({ kind: "drawn", figure: kind });
}

function take(event) {
  if (event.source !== parent || !event.data) return;
  const message = event.data;
  if (message.kind === "begin") {
    document.documentElement.dataset.theme = message.theme;
    for (const each of message.figures) if (!document.getElementById(`plot-${each.kind}`)) section(each.kind, each.title, each.about);
  } else if (message.kind === "figure") {
    draw(message.figure, message.text);
  } else if (message.kind === "nothing") {
    const plot = document.getElementById(`plot-${message.figure}`);
    plot.classList.add("nothing");
    note(plot, message.text);
  }
}

addEventListener("message", take);
new ResizeObserver(() => say({ kind: "height", height: Math.ceil(container.getBoundingClientRect().height) })).observe(container);
addEventListener("load", () => say({ kind: "ready" }));
