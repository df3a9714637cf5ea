// What every page does: times in the reader's zone, light and dark, copying, dialogs, and parts that stay up to date.
import { showTimes } from "./times.js";
import { keepUpToDate } from "./live.js";

const root = document.documentElement;

function setUpTheme() {
  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `rungmaster-theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Strict${secure}`;
    document.dispatchEvent(new Event("theme"));
  });
}

let hiding = 0;
export function tell(text) {
  const told = document.getElementById("told");
  told.textContent = text;
  told.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => told.classList.remove("shown"), 2500);
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without TLS a browser has no clipboard for pages that are not on its own machine.
    getSelection().selectAllChildren(source);
    tell("Selected: copy it with Ctrl+C");
    return;
  }
  tell("Copied");
}

function clicked(event) {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.copy) copy(button);
  if (button.dataset.dialog) document.getElementById(button.dataset.dialog)?.showModal();
  if (button.dataset.close !== undefined) button.closest("dialog").close();
}

export function prepare(part) {
  showTimes(part);
  for (const button of part.querySelectorAll("button[data-copy]")) button.hidden = false;
}

setUpTheme();
// Where a window is too narrow for all parts, the one that is shown stands in view.
const tab = document.querySelector(".tabs [aria-current]");
if (tab) tab.parentElement.scrollLeft = tab.offsetLeft + tab.offsetWidth / 2 - tab.parentElement.clientWidth / 2;
prepare(document);
document.addEventListener("click", clicked);
keepUpToDate(prepare);
if (document.querySelector("[data-figures]")) import("./plots.js").then((plots) => plots.start());
if (document.querySelector("[data-log]")) import("./logs.js").then((logs) => logs.start());
