/** The gallery on a plane: what lies close together looks alike to the encoder. */

import { el } from "./dom.js";
import { classAddress, gallery } from "./gallery.js";
import { announce } from "./notice.js";
import { fill, picture } from "./pictures.js";
import { quoted } from "./words.js";

/** @typedef {import("./api.js").GalleryMap["points"][number]} Point */

const PICTURES = 160; // up to so many examples are shown as pictures rather than dots
const GOLDEN = 137.508; // degrees: hues of neighbors in the list are far apart
const ARROWS = /** @type {Record<string, number[]>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});

/**
 * @param {Point[]} points
 * @param {(label: string) => void} open
 * @returns {HTMLElement}
 */
export function galleryMap(points, open) {
  const hues = new Map(
    [...new Set(points.map((each) => each.label))].map((label, i) => [label, Math.round(i * GOLDEN) % 360]),
  );
  const small = points.length <= PICTURES && gallery.keepsItems && gallery.modality === "image";
  const marks = points.map((each) => mark(each, /** @type {number} */ (hues.get(each.label)), small));
  const sounds = gallery.keepsItems && gallery.modality === "sound";
  const keys = sounds ? "the space bar plays it, " : "";
  const card = el("div", { class: "map-card", hidden: true });
  const plane = el("div", { class: "plane" }, ...marks, card);
  const frame = el(
    "div",
    {
      class: small ? "map card pictured" : "map card",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "map",
      "aria-label": `Map of ${points.length} examples. Arrow keys go to the next one, ${keys}Enter opens its class.`,
    },
    plane,
  );
  const chosen = el("div", { class: "chosen", hidden: !sounds }, "Choose a point to hear its sound.");
  let at = -1;
  const go = (/** @type {number} */ to, aloud = false) => {
    if (to === at) return;
    marks[at]?.classList.remove("at");
    at = to;
    card.hidden = at < 0;
    if (at < 0) return;
    marks[at].classList.add("at");
    tell(card, points[at]);
    if (aloud) announce(points[at].label);
  };
  frame.addEventListener("pointermove", (event) => go(nearest(points, plane, event)));
  frame.addEventListener("pointerleave", () => go(-1));
  frame.addEventListener("focus", () => frame.matches(":focus-visible") && go(Math.max(at, 0), true));
  frame.addEventListener("blur", () => go(-1));
  frame.addEventListener("click", (event) => {
    const hit = nearest(points, plane, event);
    if (hit >= 0 && sounds) play(chosen, points[hit]);
    else if (hit >= 0) open(points[hit].label);
  });
  frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && at >= 0) open(points[at].label);
    else if (event.key === " " && at >= 0 && sounds) play(chosen, points[at]);
    else if (ARROWS[event.key]) go(beyond(points, Math.max(at, 0), ARROWS[event.key]), true);
    else return;
    event.preventDefault();
  });
  return el("div", {}, chosen, frame);
}

/**
 * Show an example of sounds beside the map, where it can be played again and its class opened, and play it.
 *
 * @param {HTMLElement} chosen @param {Point} point
 */
async function play(chosen, { id, label }) {
  const box = el("span");
  chosen.replaceChildren(box, el("a", { href: classAddress(label) }, `Open ${quoted(label)}`));
  await fill(box, id, label);
  box.querySelector("button")?.click(); // a description has none
}

/** @param {Point} point @param {number} hue @param {boolean} small */
function mark({ id, x, y }, hue, small) {
  const made = el("span", { class: "mark", "aria-hidden": "true" }, small && picture(id, "", 40));
  place(made, x, y);
  made.style.setProperty("--hue", String(hue));
  return made;
}

/** @param {HTMLElement} card @param {Point} point */
function tell(card, { id, label, x, y }) {
  card.replaceChildren(picture(id, "", 96), el("b", {}, label));
  card.classList.toggle("left", x > 0.6);
  card.classList.toggle("above", y > 0.6);
  card.setAttribute("title", quoted(label));
  place(card, x, y);
}

/** @param {HTMLElement} element @param {number} x @param {number} y */
function place(element, x, y) {
  element.style.left = `${100 * x}%`;
  element.style.top = `${100 * y}%`;
}

/**
 * The point under the pointer, or close to it; -1 where there is none.
 *
 * @param {Point[]} points
 * @param {HTMLElement} plane
 * @param {MouseEvent} event
 */
function nearest(points, plane, event) {
  const box = plane.getBoundingClientRect();
  const far = points.map((each) =>
    Math.hypot(box.left + each.x * box.width - event.clientX, box.top + each.y * box.height - event.clientY),
  );
  const best = far.reduce((least, each, i) => (each < far[least] ? i : least), 0);
  return far[best] < 28 ? best : -1;
}

/**
 * The next point in a direction: what lies aside of it counts double.
 *
 * @param {Point[]} points
 * @param {number} from
 * @param {number[]} way
 */
function beyond(points, from, [right, down]) {
  const costs = points.map(({ x, y }) => {
    const [dx, dy] = [x - points[from].x, y - points[from].y];
    const ahead = dx * right + dy * down;
    return ahead > 1e-6 ? ahead + 2 * Math.abs(dx * down - dy * right) : Infinity;
  });
  const best = costs.reduce((least, each, i) => (each < costs[least] ? i : least), 0);
  return costs[best] < Infinity ? best : from;
}
