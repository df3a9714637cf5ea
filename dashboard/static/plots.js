// Fetches figures and hands them to the frame that draws them; asks again when the page has changed, with rests.
import { refresh } from "./live.js";

const leastPause = 3000;
const restFactor = 10;
const heightOfOne = 463;
const tags = new Map();
let fast = false;
let frame = null;
let place = null;
let wanted = [];
let ready = false;
let waiting = [];
let running = false;
// Something has happened that the figures do not show yet.
let again = false;
let dueAt = 0;
let timer = 0;

function theme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

// Where there is no graphics card, a browser computes every picture that WebGL draws by itself: many seconds for a large one.
function drawsFast() {
  const context = document.createElement("canvas").getContext("webgl", { failIfMajorPerformanceCaveat: true });
  if (!context) return false;
  const told = context.getExtension("WEBGL_debug_renderer_info");
  const card = context.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : context.RENDERER);
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(card);
}

// What is fetched before the frame has loaded Plotly waits here.
function say(message) {
  if (ready) frame.contentWindow.postMessage(message, "*");
  else waiting.push(message);
}

async function fetchOne(figure) {
  const address = `${figure.source}${figure.source.includes("?") ? "&" : "?"}theme=${theme()}${fast ? "" : "&draw=svg"}`;
  const tag = tags.get(address);
  const answer = await fetch(address, { cache: "no-store", headers: { accept: "application/json", ...(tag ? { "if-none-match": tag } : {}) } });
  const behind = answer.headers.get("x-behind") === "yes";
  if (answer.status === 304) return behind;
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({ error: "This figure could not be drawn." }));
    say({ kind: "nothing", figure: figure.kind, text: told.error });
    return false;
  }
  say({ kind: "figure", figure: figure.kind, text: await answer.text() });
  tags.set(address, answer.headers.get("etag"));
  return behind;
}

async function update() {
  if (document.hidden) return;
  if (running) { again = true; return; }
  const now = performance.now();
  if (now < dueAt) { clearTimeout(timer); timer = setTimeout(update, dueAt - now); return; }
  running = true;
  again = false;
  for (const figure of wanted) {
    try { again = await fetchOne(figure) || again; } catch { /* The page says by itself that nothing answers. */ }
  }
  running = false;
  // The first time everything is read, which says nothing about the next.
  const rest = dueAt ? restFactor * (performance.now() - now) : 0;
  dueAt = performance.now() + Math.max(leastPause, rest);
  if (again) update();
}

function begin() {
  say({ kind: "begin", theme: theme(), figures: wanted.map(({ kind, title, about }) => ({ kind, title, about })) });
}

function take(event) {
  if (!frame || event.source !== frame.contentWindow || !event.data) return;
  const { kind, height, trial } = event.data;
  if (kind === "ready") {
    ready = true;
    waiting.forEach(say);
    waiting = [];
  }
  if (kind === "height" && ready && Number.isFinite(height)) frame.height = String(Math.min(20000, Math.max(100, height)));
  if (kind === "open" && Number.isInteger(trial) && trial >= 0) location.href = `${place.dataset.trials}/${trial}`;
  if (kind === "drawn") {
    // What was read for the first figure, the page may show as well.
    if (!place.dataset.drawn) refresh();
    place.dataset.drawn = [...new Set(`${place.dataset.drawn ?? ""} ${event.data.figure}`.trim().split(" "))].join(" ");
  }
}

export function start() {
  place = document.querySelector("[data-figures]");
  wanted = JSON.parse(place.dataset.figures);
  fast = drawsFast();
  frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.title = `Figures: ${wanted.map((each) => each.title).join(", ")}`;
  frame.className = "figures";
  // About what it will need, so that what stands below does not jump away from under a click.
  frame.height = String(heightOfOne * wanted.length);
  frame.src = "/frame";
  addEventListener("message", take);
  document.addEventListener("refreshed", update);
  document.addEventListener("theme", () => { dueAt = 0; begin(); update(); });
  document.addEventListener("visibilitychange", update);
  place.replaceChildren(frame);
  begin();
  update();
}
