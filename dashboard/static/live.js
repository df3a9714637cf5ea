// Keeps parts of a page up to date: the same page is asked for again, and those of its parts that are marked as live
// take the place of the old ones where they differ. A stream says when; what has none is asked for now and then.
const failuresToTell = 2;
let prepare = () => {};
let busy = false;
let again = false;
let failures = 0;
// What is shown now, as the server gave it: a part that is the same is left alone, also by the first look, for a click
// may be under way in it.
const shown = new Map();
for (const part of document.querySelectorAll("[data-live], #filters")) shown.set(part.id, part.outerHTML);

function away(text) {
  const line = document.getElementById("away");
  if (line.textContent !== text) line.textContent = text;
  line.hidden = !text;
}

// Opened details stay open, what was chosen stays chosen, and whoever is at a link or in a field stays there.
function replace(old, fresh) {
  const open = [...old.querySelectorAll("details")].map((each) => each.open);
  const chosen = [...old.querySelectorAll("input[data-keep]:checked")].map((each) => each.id);
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  const [left, top] = [old.scrollLeft, old.scrollTop];
  const part = document.importNode(fresh, true);
  prepare(part);
  part.querySelectorAll("details").forEach((each, index) => { each.open = open[index] ?? each.open; });
  part.querySelectorAll("input[data-keep]").forEach((each) => { each.checked = chosen.includes(each.id); });
  old.replaceWith(part);
  part.scrollLeft = left;
  part.scrollTop = top;
  if (focused === part.id) part.focus({ preventScroll: true });
  else if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function hasSelection(part) {
  const selection = getSelection();
  return !selection.isCollapsed && part.contains(selection.anchorNode);
}

function show(text, all) {
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const fresh of page.querySelectorAll(all ? "[data-live], #filters" : "[data-live]")) {
    const old = document.getElementById(fresh.id);
    if (!old || shown.get(fresh.id) === fresh.outerHTML || hasSelection(old)) continue;
    shown.set(fresh.id, fresh.outerHTML);
    replace(old, fresh);
  }
  const dialogs = page.getElementById("dialogs");
  if (dialogs && !document.querySelector("dialog[open]")) document.getElementById("dialogs")?.replaceChildren(...dialogs.children);
}

export async function refresh(address = location.href, all = false) {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(address, { headers: { accept: "text/html" }, cache: "no-store" });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) throw new Error(answer.status === 503 ? "The master does not answer." : "The page could not be brought up to date.");
    show(await answer.text(), all);
    failures = 0;
    away("");
    document.dispatchEvent(new Event("refreshed"));
  } catch (error) {
    failures += 1;
    if (failures >= failuresToTell) away(error instanceof TypeError ? "The dashboard does not answer; what is shown is from before." : `${error.message} What is shown is from before.`);
  } finally {
    busy = false;
  }
  if (again) { again = false; refresh(); }
}

// A browser opens few connections to one place, so a page that nobody sees gives its stream back.
function follow(address) {
  let stream = null;
  const begin = () => {
    if (stream || document.hidden) return;
    stream = new EventSource(address);
    stream.addEventListener("change", (event) => {
      const told = JSON.parse(event.data);
      away(told.away ? `${told.away} What is shown is from before.` : "");
      if (!told.away) refresh();
    });
    stream.addEventListener("error", () => {
      if (stream && stream.readyState === EventSource.CLOSED) { stream = null; setTimeout(() => { refresh(); begin(); }, 5000); }
    });
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { refresh(); begin(); } else if (stream) { stream.close(); stream = null; }
  });
  begin();
}

// Links and forms that show another state of the same page change its address, and only the parts that are live.
async function go(address) {
  history.pushState(null, "", address);
  await refresh(address, true);
}

function setUpLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-swap]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(link.href);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (!form) return;
    event.preventDefault();
    go(`${form.action.split("?")[0]}?${new URLSearchParams([...new FormData(form)].filter(([, value]) => value))}`);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("form[data-auto] select, form[data-auto] input")) event.target.form.requestSubmit();
  });
  addEventListener("popstate", () => refresh(location.href, true));
}

export function keepUpToDate(preparePart) {
  prepare = preparePart;
  setUpLinks();
  const stream = document.querySelector("[data-stream]");
  if (stream) follow(stream.dataset.stream);
  const timed = document.querySelector("[data-every]");
  if (timed) setInterval(() => { if (!document.hidden) refresh(); }, 1000 * Number(timed.dataset.every));
}
