/** Short messages at the foot of the page, and words for screen readers only. */

import { forgetKey, Problem } from "./api.js";
import { byId, el } from "./dom.js";

const SECONDS = 6;
let timer = 0;

/**
 * Say that something was done. What can be undone stays until the next message, or until it is closed.
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
  if (!undo) timer = window.setTimeout(hide, 1000 * SECONDS);
}

/**
 * Say what went wrong. Stays until it is closed.
 *
 * @param {unknown} error
 */
export function complain(error) {
  const refused = error instanceof Problem && error.status === 403;
  show("failed", error instanceof Error ? error.message : String(error), refused ? anotherKey() : null);
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

function hide() {
  byId("notice").replaceChildren();
}

// A message outlives the dialog it was shown in.
document.addEventListener("close", () => document.body.append(byId("notice")), { capture: true });
