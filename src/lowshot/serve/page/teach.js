/** The form that gives something a name, and enrolling with a way back. */

import { el } from "./dom.js";
import { gallery } from "./gallery.js";
import { notice } from "./notice.js";
import { many, quoted } from "./words.js";

/**
 * A field for a label, which suggests those that there are, and a button.
 *
 * @param {{prompt: string, button: string, value?: string, submit: (label: string) => Promise<unknown>}} options
 * @returns {HTMLFormElement}
 */
export function nameForm({ prompt, button, value = "", submit }) {
  const field = el("input", {
    name: "label",
    list: "labels",
    required: true,
    maxlength: 200,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    value,
  });
  const send = el("button", { class: "primary" }, button);
  const submitted = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const label = field.value.trim();
    if (!label) return field.focus();
    send.disabled = true;
    await submit(label);
    send.disabled = false;
  };
  return el("form", { class: "name", onsubmit: submitted }, el("label", {}, el("span", {}, prompt), field), send);
}

/**
 * Enroll a class by what is said of it, and say so.
 *
 * @param {string} label @param {string} words
 */
export async function describe(label, words) {
  const fresh = await gallery.describe(label, words);
  if (!fresh.length) return notice(`${quoted(label)} is described so already.`);
  return notice(`Described ${quoted(label)}.`, () => gallery.remove(fresh));
}

/**
 * Enroll, and say so.
 *
 * @param {string} label
 * @param {import("./api.js").Item[]} items
 */
export async function teach(label, items) {
  const known = gallery.has(label);
  const fresh = await gallery.enroll(label, items);
  const given = items.length === 1 ? `this very ${gallery.terms.noun}` : "all of these";
  if (!fresh.length) return notice(`${quoted(label)} has ${given} already.`);
  const what = known ? `Added ${many(fresh.length, "example")} to ${quoted(label)}.` : `Learned ${quoted(label)}.`;
  return notice(what, () => gallery.remove(fresh));
}
