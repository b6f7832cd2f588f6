/** Short messages at the foot of the page, and words for screen readers only. */

import { forgetKey, Problem } from "./api.js";
import { byId, el } from "./dom.js";

const SECONDS = 6; // that a message stays
const UNDO_SECONDS = 10; // that one stays which can be undone
const MORE_SECONDS = 2; // that it stays after its time while the pointer or the focus is on it
let timer = 0;

/**
 * Say that something was done. It goes after a while; what can be undone stays longer.
 *
 * @param {string} text
 * @param {(() => Promise<unknown>) | null} [undo]
 */
export function notice(text, undo = null) {
  const undone = async () => {
    hide();
    await undo?.();
  };
  show("done", text, undo && el("button", { class: "plain", onclick: () => attempt(undone) }, "Undo"));
  hideIn(undo ? UNDO_SECONDS : SECONDS);
}

/**
 * Say what went wrong. Stays until something succeeds, another view is shown, or it is closed.
 *
 * @param {unknown} error
 */
export function complain(error) {
  const refused = error instanceof Problem && error.status === 403;
  show("failed", error instanceof Error ? error.message : String(error), refused ? anotherKey() : null);
}

/** What went wrong is of no interest any more: something succeeded since, or another view is shown. */
export function forgive() {
  if (byId("notice").querySelector(".failed")) hide();
}

/**
 * Do something, and say so if it fails.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T | undefined>}
 */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    complain(error);
    return undefined;
  }
}

/** @param {string} text read aloud, not shown */
export function announce(text) {
  byId("spoken").textContent = text;
}

/** @param {string} kind @param {string} text @param {HTMLElement | null} button */
function show(kind, text, button) {
  clearTimeout(timer);
  const box = byId("notice");
  (document.querySelector("dialog:modal") ?? document.body).append(box); // all but an open dialog is out of reach
  const close = el("button", { class: "plain close", "aria-label": "Close this message", onclick: hide }, "×");
  box.replaceChildren(el("div", { class: kind }, el("p", {}, text), button, close));
}

/** Without its key the page asks for one when it is loaded. */
function anotherKey() {
  const renew = () => {
    forgetKey();
    location.reload();
  };
  return el("button", { class: "plain", onclick: renew }, "Use another key");
}

/** @param {number} seconds */
function hideIn(seconds) {
  const inUse = () => byId("notice").matches(":hover, :focus-within");
  timer = window.setTimeout(() => (inUse() ? hideIn(MORE_SECONDS) : hide()), 1000 * seconds);
}

function hide() {
  clearTimeout(timer);
  byId("notice").replaceChildren();
}

// A message outlives the dialog it was shown in.
document.addEventListener("close", () => document.body.append(byId("notice")), { capture: true });
