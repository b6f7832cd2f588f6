/** Health: what the check found, as examples that something can be done about, and a map of the gallery. */

import * as api from "./api.js";
import { chart } from "./chart.js";
import { breakable, byId, el } from "./dom.js";
import { classAddress, gallery } from "./gallery.js";
import { galleryMap } from "./map.js";
import { attempt } from "./notice.js";
import { beside, figure, picture } from "./pictures.js";
import { deleteExample, moveExample } from "./removal.js";
import { many, percent, quoted, short } from "./words.js";

/**
 * @typedef {{id: number, label: string, like: number}} Taken
 * @typedef {{labels: [string, string], share: number, taken: number, asked: number, seen: Taken[], how: string}} Confused
 * @typedef {{id: number, label: string, rival: string, like: number, excess: number, either: boolean}} Mislabeled
 * @typedef {{ids: number[], labels: string[], exact: boolean | null, distance: number, across: boolean}} Duplicates
 * @typedef {{label: string, examples: number, gain: number}} Gain
 * @typedef {{examples: number, classes: number, recognizer: string, asked: number, accuracy: import("./chart.js").Shots[],
 *   unknowns: {auroc: number, fpr95: number, how: string} | null, confused: Confused[], confused_in_all: number,
 *   mislabeled: Mislabeled[], mislabeled_in_all: number, duplicates: Duplicates[], duplicates_in_all: number,
 *   gains: Gain[], notes: string[]}} Check
 */

const MEASURED = "held out"; // how a figure was found: by examples that were left out
const PAIRS = 3; // of examples that show why two classes are confused
const COPIES = 6; // of a group of duplicates
const NEEDY = 12; // classes that need one more example

class Health {
  id = "health";
  #stale = true;
  #shown = false;

  suits() {
    return true;
  }

  mount() {
    byId("check-again").addEventListener("click", () => this.#look());
    gallery.addEventListener("change", () => {
      this.#stale = true;
      byId("outdated").hidden = !this.#shown;
    });
  }

  async show() {
    if (this.#stale) await this.#look();
  }

  async #look() {
    this.#stale = false;
    byId("outdated").hidden = true;
    const page = byId("findings");
    page.setAttribute("aria-busy", "true");
    if (!this.#shown) page.replaceChildren(el("p", { class: "soft waiting" }, "Looking at every example …"));
    const found = await attempt(looked);
    page.removeAttribute("aria-busy");
    this.#shown = Boolean(found);
    this.#stale ||= !found;
    page.replaceChildren(...(found ?? []));
  }
}

export const health = new Health();

/** @returns {Promise<HTMLElement[]>} */
async function looked() {
  if (!gallery.examples) return [el("p", { class: "soft" }, "Nothing is enrolled yet, so there is nothing to check.")];
  const [check, map] = await Promise.all([api.check(), api.map()]);
  return [
    figures(check),
    notes(check.notes),
    expected(check),
    section("Probably mislabeled", mislabeledAbout(), check.mislabeled.map(mislabeled), check.mislabeled_in_all),
    section(`The same ${gallery.terms.noun} twice`, TWICE, check.duplicates.map(twice), check.duplicates_in_all),
    section(
      check.asked ? "Confused classes" : `Classes that ${gallery.terms.seem} alike`,
      confusedAbout(),
      check.confused.map(confused),
      check.confused_in_all,
    ),
    needy(check.gains),
    plane(map),
  ].filter((each) => each !== null);
}

const mislabeledAbout = () =>
  `Left, the example; right, what it ${gallery.terms.seem}s like. ` +
  "It is as clearly one of those as others are clearly of their own class.";
const TWICE =
  "A copy adds nothing to its class. Under two labels, one of them is wrong, and every answer there is a toss-up.";
const confusedAbout = () =>
  "Left, an example that is taken for the other class; right, what it was taken for. " +
  `Different ${gallery.terms.noun}s of both help.`;

const REFUSED = "of unknown things refused, when 95% of known ones are accepted";
const ESTIMATED = " – estimated, not measured: every class has one example";

/** @param {Check} check */
function figures(check) {
  const now = check.accuracy.find((each) => each.how !== MEASURED);
  return el(
    "dl",
    { class: "figures" },
    fact(
      now ? percent(now.accuracy) : "–",
      now
        ? `of answers expected right (${percent(now.low)} to ${percent(now.high)})`
        : "expected accuracy cannot be said",
    ),
    fact(
      check.unknowns ? percent(1 - check.unknowns.fpr95) : "–",
      check.unknowns
        ? REFUSED + (check.unknowns.how === MEASURED ? "" : ESTIMATED)
        : "refusal of unknown things cannot be said",
    ),
    fact(
      check.asked ? String(check.mislabeled_in_all) : "–",
      check.asked ? "probably mislabeled" : "wrong labels cannot be told",
      check.mislabeled_in_all > 0,
    ),
    fact(String(check.duplicates_in_all), `${gallery.terms.noun}s enrolled more than once`, check.duplicates_in_all > 0),
    fact(
      String(check.confused_in_all),
      check.asked ? "pairs of classes confused" : `pairs of classes ${gallery.terms.seem} alike`,
      check.confused_in_all > 0,
    ),
  );
}

/** @param {string} value @param {string} what @param {boolean} [bad] */
function fact(value, what, bad = false) {
  return el("div", {}, el("dt", {}, what), el("dd", { class: bad ? "bad" : null }, value));
}

/** @param {string[]} said */
function notes(said) {
  return said.length ? el("div", { class: "notes" }, ...said.map((note) => el("p", {}, note))) : null;
}

/** @param {Check} check */
function expected({ accuracy }) {
  if (!accuracy.length) return null;
  const about =
    "How often the nearest class is the right one. The band is the 95% interval; hollow points are estimated, not measured.";
  return el("section", {}, el("h2", {}, "Expected accuracy"), el("p", { class: "soft" }, about), chart(accuracy));
}

/**
 * @param {string} title
 * @param {string} about
 * @param {HTMLElement[]} cards
 * @param {number} inAll
 * @param {string} [grid]
 */
function section(title, about, cards, inAll, grid = "finding-grid") {
  if (!cards.length) return null;
  const more = inAll > cards.length ? ` The ${cards.length} gravest of ${inAll}:` : "";
  return el(
    "section",
    {},
    el("h2", {}, title),
    el("p", { class: "soft" }, about + more),
    el("ul", { class: grid }, ...cards),
  );
}

/** @param {Mislabeled} each */
function mislabeled({ id, label, rival, like, either }) {
  const doubt = either ? "Or the other example of its class is wrong: nobody can tell from two." : "";
  const card = finding(
    `${quoted(label)} ${gallery.terms.seem}s like ${quoted(rival)}`,
    doubt,
    pair(id, label, like, rival),
    gallery.keepsItems &&
      action(
        `Move to ${short(rival)}`,
        async () => (await moveExample(id, rival), settle(card, `Moved to ${quoted(rival)}.`)),
      ),
    action("Delete", async () => (await deleteExample(id)) && settle(card, "Deleted."), "danger"),
    opener(label),
  );
  return card;
}

/** @param {Duplicates} each */
function twice({ ids, labels, exact, distance, across }) {
  const same = exact ? "The same file" : distance === 0 ? "Equal to the encoder" : "Nearly the same";
  const copies = ids.slice(0, COPIES).map((id, i) => {
    const copy = figure(picture(id, `Example ${id} of ${labels[i]}`, 112), labels[i], `example ${id}`);
    copy.append(
      action(
        "Delete",
        async () => (await deleteExample(id)) && settle(copy, "Deleted."),
        "danger",
        `Delete example ${id} of ${labels[i]}`,
      ),
    );
    return copy;
  });
  const left = ids.length - copies.length;
  return finding(
    `${same}, ${ids.length} times`,
    (across ? "Under different labels." : "In one class.") + (left ? ` And ${left} more.` : ""),
    copies,
  );
}

/** @param {Confused} each */
function confused({ labels, share, taken, asked, seen, how }) {
  const other = (/** @type {string} */ label) => labels[label === labels[0] ? 1 : 0];
  const measured = how === MEASURED;
  return finding(
    `${quoted(labels[0])} and ${quoted(labels[1])}`,
    measured
      ? `${taken} of ${asked} examples taken for the other class.`
      : `One example only: about ${percent(share)} of their ${gallery.terms.noun}s may be mixed up.`,
    seen.slice(0, PAIRS).flatMap(({ id, label, like }) => pair(id, label, like, other(label))),
    opener(labels[0]),
    opener(labels[1]),
  );
}

/** @param {Gain[]} gains */
function needy(gains) {
  const most = gains.filter((each) => each.gain > 0).slice(0, NEEDY);
  const about =
    "The classes that gain most, greatest gain first: an estimate from few examples, so trust the order more than the figure.";
  const first = new Map(gallery.classes.map((each) => [each.label, each.first]));
  const cards = most.map(({ label, examples, gain }) => {
    const facts = `${many(examples, "example")}; about ${(100 * gain).toFixed(1)} points more right with one more`;
    const words = el(
      "div",
      {},
      el("h3", {}, breakable(label)),
      el("p", { class: "soft" }, facts),
      link(label, "Add an example"),
    );
    return el("li", { class: "needy card" }, beside(first.get(label) ?? 0, label, 68), words);
  });
  return section("Where one more example helps most", about, cards, cards.length, "needy-grid");
}

/** @param {api.GalleryMap} map */
function plane({ points, shown, of }) {
  if (points.length < 3) return null;
  const part = shown < of ? ` ${shown} of ${of}, drawn by lot.` : "";
  const about = `Every example where the encoder sees it: what lies close together ${gallery.terms.seem}s alike to it.${part}`;
  const open = (/** @type {string} */ label) => {
    location.hash = classAddress(label);
  };
  return el("section", {}, el("h2", {}, "Map"), el("p", { class: "soft" }, about), galleryMap(points, open));
}

/** @param {string} title @param {string} text @param {Node[]} pictures @param {...(HTMLElement | false)} actions */
function finding(title, text, pictures, ...actions) {
  return el(
    "li",
    { class: "finding card" },
    el("h3", {}, title),
    el("div", { class: "pictures" }, ...pictures),
    text && el("p", { class: "soft" }, text),
    el("div", { class: "buttons" }, ...actions),
  );
}

/** @param {number} id @param {string} label @param {number} like @param {string} rival */
function pair(id, label, like, rival) {
  return [
    figure(picture(id, `Example ${id} of ${label}`, 112), label),
    figure(picture(like, `Example ${like} of ${rival}`, 112), rival),
  ];
}

/** @param {string} text @param {() => Promise<unknown>} work @param {string} [tone] @param {string} [name] */
function action(text, work, tone = "", name = text) {
  const button = el("button", { class: `plain ${tone}`, "aria-label": name === text ? null : name });
  button.textContent = text;
  button.addEventListener("click", async () => {
    button.disabled = true;
    await attempt(work);
    button.disabled = false;
  });
  return button;
}

/** @param {string} label */
function opener(label) {
  const made = link(label, `Open ${short(label)}`);
  made.className = "plain";
  return made;
}

/** To a class. @param {string} label @param {string} text */
function link(label, text) {
  const name = text.includes(label) ? null : `${text}: ${label}`;
  return el("a", { href: classAddress(label), "aria-label": name }, text);
}

/** Nothing more to do here. @param {HTMLElement} card @param {string} text */
function settle(card, text) {
  card.classList.add("settled");
  card.querySelector(".buttons")?.replaceChildren();
  card.querySelector("button")?.remove();
  const done = el("p", { class: "done", tabindex: -1 }, text);
  card.append(done);
  done.focus({ preventScroll: true }); // the button is gone
}
