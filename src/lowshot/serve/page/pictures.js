/** Enrolled examples as one sees them, pictures, the words of texts or players of sounds, fetched when they come into view (with the key, which an `img` could not send). */

import * as api from "./api.js";
import { breakable, el } from "./dom.js";
import { gallery } from "./gallery.js";

const MOST = 1500; // small pictures, and sounds, kept
const LONGEST = 300; // letters of a text shown
const SIZES = [96, 192, 384];

/** @type {Map<string, Promise<string>>} */
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
 * The picture of an enrolled example, its words or a player; a blank where the gallery keeps none.
 *
 * @param {number} id
 * @param {string} alt nothing where it only adorns: there, as inside a link, a sound cannot be played
 * @param {number} [width] about how wide it is shown
 * @returns {HTMLElement}
 */
export function picture(id, alt, width = 96) {
  if (!gallery.keepsItems) return blank(alt);
  if (gallery.card?.modality === "text") return words(id, alt);
  if (gallery.card?.modality === "sound") return alt ? sound(id, alt) : blank(alt, "a sound");
  const image = el("img", { class: "picture", alt, decoding: "async" });
  const size = SIZES.find((each) => each >= width * devicePixelRatio) ?? SIZES[SIZES.length - 1];
  waiting.set(image, async () => {
    try {
      image.src = await address(`${id}@${size}`, () => api.image(id, size));
    } catch {
      image.replaceWith(blank(alt));
    }
  });
  observer.observe(image);
  return image;
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

/** @param {number} id @param {string} alt */
function words(id, alt) {
  const shown = el("span", { class: "picture words", title: alt });
  waiting.set(shown, async () => {
    try {
      const text = await api.text(id);
      shown.textContent = text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text;
    } catch {
      shown.replaceWith(blank(alt));
    }
  });
  observer.observe(shown);
  return shown;
}

/** @param {number} id @param {string} alt */
function sound(id, alt) {
  const shown = el("span", { class: "picture sound" });
  waiting.set(shown, async () => {
    try {
      shown.replaceChildren(player(alt, await address(`${id}`, () => api.file(id))));
    } catch {
      shown.replaceWith(blank(alt));
    }
  });
  observer.observe(shown);
  return shown;
}

/** @param {string} name of the sound @param {string} src */
export function player(name, src) {
  return el("audio", { controls: true, src, "aria-label": name, title: name });
}

/** @param {string} alt @param {string} [said] */
function blank(alt, said = `no ${noun()} kept`) {
  return el("span", { class: "picture blank", role: "img", "aria-label": alt }, said);
}

function noun() {
  return gallery.card?.modality === "image" ? "picture" : (gallery.card?.modality ?? "item");
}

/** @param {string} name @param {() => Promise<Blob>} fetched @returns {Promise<string>} */
function address(name, fetched) {
  let found = kept.get(name);
  if (!found) {
    found = fetched().then((blob) => URL.createObjectURL(blob));
    found.catch(() => kept.delete(name));
    kept.set(name, found);
    if (kept.size > MOST) drop();
  }
  return found;
}

/** Drop the oldest. */
function drop() {
  const [name, old] = /** @type {[string, Promise<string>]} */ (kept.entries().next().value);
  kept.delete(name);
  old.then(URL.revokeObjectURL, () => {});
}
