/**
 * Enrolled examples as one sees them: pictures, the words of texts and of descriptions, buttons that play sounds. They are
 * fetched when they come into view (with the key, which an `img` could not send).
 */

import * as api from "./api.js";
import { breakable, el } from "./dom.js";
import { gallery } from "./gallery.js";
import { player } from "./sounds.js";

const MOST = 1500; // small pictures, sounds and texts kept
const LONGEST = 300; // letters of a text shown
const SIZES = [96, 192, 384];
const KINDS = { image: "picture", sound: "picture sound", text: "picture words" }; // of boxes, by what they will hold

/**
 * What an example shows: its media type is of the kind; `source` is a text itself, or else an address.
 *
 * @typedef {{kind: "image" | "sound" | "text", described: boolean, source: string}} Look
 */

/** @type {Map<string, Promise<Look>>} */
const kept = new Map();
/** @type {WeakMap<Element, () => void>} */
const waiting = new WeakMap();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      waiting.get(target)?.();
    }
  },
  { rootMargin: "300px" },
);

/**
 * A box with the picture of an enrolled example, its words or a player; a blank where the gallery keeps none.
 *
 * @param {number} id
 * @param {string} alt nothing where it only adorns, and nothing can be pressed: a sound is left out there
 * @param {number} [width] about how wide it is shown
 * @returns {HTMLElement}
 */
export function picture(id, alt, width = 96) {
  const box = el("span", { class: KINDS[gallery.modality] });
  waiting.set(box, () => fill(box, id, alt, width));
  observer.observe(box);
  return box;
}

/**
 * The picture that stands beside the label of its class, which says enough of it; but a sound can be played.
 *
 * @param {number} id @param {string} label @param {number} width
 */
export function beside(id, label, width) {
  return picture(id, gallery.modality === "sound" ? label : "", width);
}

/**
 * Put into a box what an example shows.
 *
 * @param {HTMLElement} box @param {number} id @param {string} alt @param {number} [width]
 */
export async function fill(box, id, alt, width = 96) {
  const found = await look(id, width).catch(() => null);
  if (!found) {
    box.className = "picture blank";
    if (alt) box.setAttribute("role", "img");
    if (alt) box.setAttribute("aria-label", alt);
    box.replaceChildren(`no ${gallery.terms.noun} kept`);
    return;
  }
  const { kind, described, source } = found;
  box.className = KINDS[kind] + (described ? " described" : "");
  if (kind === "image") box.replaceChildren(el("img", { src: source, alt, decoding: "async" }));
  else if (kind === "text") box.replaceChildren(...words(source, described));
  else if (alt) box.replaceChildren(player(alt, source));
  else box.remove();
}

/** A text as far as a box has room for it. @param {string} text @param {boolean} [described] */
export function words(text, described = false) {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text;
  return [described && el("small", {}, "Described as"), el("span", {}, shown)].filter((each) => each !== false);
}

/**
 * A picture with words below it.
 *
 * @param {HTMLElement} image
 * @param {string} title
 * @param {string} [detail]
 */
export function figure(image, title, detail = "") {
  return el("figure", {}, image, el("figcaption", {}, el("b", {}, breakable(title)), detail && el("span", {}, detail)));
}

/** @param {number} id @param {number} width @returns {Promise<Look>} */
function look(id, width) {
  const size = SIZES.find((each) => each >= width * devicePixelRatio) ?? SIZES[SIZES.length - 1];
  const name = `${id}@${size}`;
  let found = kept.get(name);
  if (!found) {
    found = gallery.keepsItems ? seen(id, size) : said(id);
    found.catch(() => kept.delete(name));
    kept.set(name, found);
    if (kept.size > MOST) drop();
  }
  return found;
}

/** @param {number} id @param {number} size @returns {Promise<Look>} */
async function seen(id, size) {
  const { data, described } = await api.file(id, size);
  const kind = data.type.startsWith("text/") ? "text" : gallery.modality;
  return { kind, described, source: kind === "text" ? await data.text() : URL.createObjectURL(data) };
}

/** Of what a gallery that keeps no items can show: descriptions. @param {number} id @returns {Promise<Look>} */
async function said(id) {
  const { described } = (await api.example(id)).attributes;
  if (described === undefined) throw new Error("nothing is kept");
  return { kind: "text", described: true, source: described };
}

/** Drop the oldest. */
function drop() {
  const [name, old] = /** @type {[string, Promise<Look>]} */ (kept.entries().next().value);
  kept.delete(name);
  old.then(({ source }) => URL.revokeObjectURL(source)).catch(() => {});
}
