// Shows what a trial prints, as it comes: the newest lines, and only while somebody can see them.
const most = 5000;
const nearEnd = 24;
const section = document.getElementById("log");
const box = document.getElementById("log-lines");
const statusLine = document.getElementById("log-status");
const toEnd = document.getElementById("log-end");
let stream = null;
let seen = false;
let after = "";
let ended = "";
let open = null;
let following = true;

function line(kind, text) {
  const part = document.createElement("div");
  part.className = kind;
  // Colours of a terminal are shown as what they are, and less so than the text.
  for (const piece of (text || "\u00a0").split(/(\\x1b\[[0-9;]*m)/)) {
    if (!piece.startsWith("\\x1b[")) { part.append(piece); continue; }
    const code = document.createElement("span");
    code.className = "code";
    code.textContent = piece;
    part.append(code);
  }
  return part;
}

function state() { return document.querySelector("#state .pill")?.textContent ?? ""; }

function show(event) {
  const told = JSON.parse(event.data);
  const part = document.createDocumentFragment();
  open?.remove();
  open = null;
  if (told.fresh) box.replaceChildren();
  else if (told.missed) part.append(line("note", `${told.missed.toLocaleString()} lines came faster than they could be shown; the text has them`));
  for (const [kind, text] of told.lines) part.append(line(kind, text));
  if (told.open) { open = line("text open", told.open); part.append(open); }
  box.append(part);
  while (box.childElementCount > most) box.firstElementChild.remove();
  box.hidden = !box.childElementCount;
  if (statusLine.textContent !== told.status) statusLine.textContent = told.status;
  if (following) box.scrollTop = box.scrollHeight;
  if (event.lastEventId) after = event.lastEventId;
}

function begin() {
  if (stream || !seen || document.hidden || ended === state()) return;
  const address = new URL(section.dataset.log, location.href);
  if (after) address.searchParams.set("after", after);
  stream = new EventSource(address);
  stream.addEventListener("lines", show);
  stream.addEventListener("end", () => { ended = state(); stop(); });
  stream.addEventListener("error", () => {
    if (stream?.readyState !== EventSource.CLOSED) return;
    stop();
    statusLine.textContent = "The log cannot be had now; it is tried again.";
    setTimeout(begin, 5000);
  });
}

function stop() {
  stream?.close();
  stream = null;
}

// Where somebody has scrolled up, the lines stay where they are; at the end they move on by themselves again.
function scrolled() {
  following = box.scrollTop + box.clientHeight >= box.scrollHeight - nearEnd;
  toEnd.hidden = following;
}

export function start() {
  box.addEventListener("scroll", scrolled, { passive: true });
  toEnd.addEventListener("click", () => { following = true; box.scrollTop = box.scrollHeight; box.focus({ preventScroll: true }); });
  new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    if (seen) begin(); else stop();
  }, { rootMargin: "200px" }).observe(section);
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); else begin(); });
  // A trial whose log had ended may go on.
  document.addEventListener("refreshed", begin);
}
