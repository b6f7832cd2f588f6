/** An answer as the reader sees it: what it is, how sure, what decided, and whether that is right. */

import { breakable, el } from "./dom.js";
import { gallery } from "./gallery.js";
import { announce } from "./notice.js";
import { figure, picture } from "./pictures.js";
import { nameForm } from "./teach.js";
import { percent, quoted } from "./words.js";

/** @typedef {import("./api.js").Answer} Answer */

const RUNNERS = 4;
const EVEN = 0.5; // below it, an answer is more likely wrong than right

/**
 * @param {{
 *   answer: Answer | null,
 *   own: HTMLElement,
 *   noun: string,
 *   decided: number,
 *   suggested?: string,
 *   teach: (label: string) => Promise<unknown>,
 * }} options the answer, or null where nothing is enrolled yet; a picture of what was asked; what to call it; how many
 *   enrolled examples to show; a name that was typed already; enrolls it
 * @returns {HTMLElement}
 */
export function outcome({ answer, own, noun, decided, suggested = "", teach }) {
  const form = nameForm({ prompt: `Name this ${noun}`, button: "Teach", value: suggested, submit: teach });
  if (!answer) {
    const first = el(
      "p",
      { class: "soft" },
      `Nothing is known yet. Give this ${noun} a name, and it will be known next time.`,
    );
    return el("div", { class: "outcome new" }, verdict("What is it?", ""), evidence(own, []), first, form);
  }
  const sure = `${percent(answer.confidence)} sure${answer.unknown ? " that it is nothing known" : ""}`;
  return el(
    "div",
    { class: `outcome ${answer.unknown ? "unknown" : "known"}${answer.confidence < EVEN ? " unsure" : ""}` },
    verdict(answer.label ?? "Unknown", sure),
    evidence(own, answer.examples.slice(0, decided)),
    runnersUp(answer),
    answer.label === null ? unknown(form) : feedback(answer.label, form, teach, Boolean(suggested)),
  );
}

/**
 * Show an outcome in a panel in place of the one before, whose typed name stays, and say it aloud.
 *
 * @param {HTMLElement} panel
 * @param {Parameters<typeof outcome>[0]} options
 */
export function present(panel, options) {
  const suggested = panel.querySelector("input")?.value || options.suggested;
  panel.replaceChildren(outcome({ ...options, suggested }));
  const { answer, noun } = options;
  announce(answer ? spoken(answer) : `Nothing is known yet. Name this ${noun}.`);
}

/** @param {Answer} answer as a sentence */
function spoken(answer) {
  const next = rivals(answer)[0];
  const rest = next ? `; next ${next.label}, ${percent(next.score)}` : "";
  return `${answer.label ?? "Unknown"}, ${percent(answer.confidence)} sure${rest}`;
}

/** @param {string} label @param {string} sure */
function verdict(label, sure) {
  return el("p", { class: "verdict" }, el("strong", {}, breakable(label)), " ", el("span", { class: "sure" }, sure));
}

/**
 * What was asked beside what decided.
 *
 * @param {HTMLElement} own
 * @param {import("./api.js").Match[]} examples all of one class
 */
function evidence(own, examples) {
  const pictures = examples.map(({ id, label, name, described }) =>
    picture(id, `${described === null ? "Enrolled example" : "Description"} of ${label}${name && `: ${name}`}`, 128),
  );
  const how = examples[0]?.described ? "described" : "enrolled";
  const caption = el("figcaption", {}, el("b", {}, breakable(examples[0]?.label ?? "")), el("span", {}, how));
  const decided =
    examples.length > 0 && el("figure", { class: "decided" }, el("div", { class: "row" }, ...pictures), caption);
  return el("div", { class: "evidence" }, figure(own, "Yours"), decided);
}

/** @param {Answer} answer */
function rivals({ label, candidates, known }) {
  const others = candidates.filter((each) => each.label !== label).map((each) => ({ ...each, unknown: false }));
  const nothing = label === null ? [] : [{ label: "unknown", score: 1 - known, unknown: true }];
  return [...others, ...nothing].sort((one, other) => other.score - one.score).slice(0, RUNNERS);
}

/** @param {Answer} answer */
function runnersUp(answer) {
  const rows = rivals(answer).map(({ label, score, unknown }) => {
    const bar = el("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", `${100 * score}%`);
    return el(
      "li",
      {},
      el("span", { class: unknown ? "label soft" : "label" }, label),
      bar,
      el("span", { class: "number" }, percent(score)),
    );
  });
  const title = answer.unknown ? "Nearest classes" : "Runners-up";
  return rows.length ? el("div", { class: "runners" }, el("h3", {}, title), el("ol", {}, ...rows)) : null;
}

/** @param {HTMLFormElement} form */
function unknown(form) {
  return el(
    "div",
    { class: "feedback" },
    el("p", { class: "soft" }, `Nothing enrolled ${gallery.terms.seem}s like it – teach me:`),
    form,
  );
}

/**
 * @param {string} label
 * @param {HTMLFormElement} form
 * @param {(label: string) => Promise<unknown>} teach
 * @param {boolean} open
 */
function feedback(label, form, teach, open) {
  const right = el(
    "button",
    { class: "plain", "aria-label": `That’s ${quoted(label)}: add as example` },
    "That’s right – add as example",
  );
  right.addEventListener("click", async () => {
    right.disabled = true;
    await teach(label);
    right.disabled = false;
  });
  const wrong = el("button", { class: "plain", "aria-expanded": open }, "No, it is …");
  const unfold = (/** @type {boolean} */ shown) => {
    wrong.setAttribute("aria-expanded", String(shown));
    form.hidden = !shown;
  };
  wrong.addEventListener("click", () => {
    unfold(form.hidden);
    if (!form.hidden) form.querySelector("input")?.focus();
  });
  unfold(open);
  return el("div", { class: "feedback" }, el("div", { class: "buttons" }, right, wrong), form);
}
