/** How numbers and lists are written. */

/** What an item is called, and what is said of one that is like another: it looks like it, they look alike. */
export const TERMS = {
  image: { noun: "picture", seem: "look" },
  sound: { noun: "sound", seem: "sound" },
  text: { noun: "text", seem: "read" },
};

const LONGEST = 24; // letters of a label on a button
const grouped = new Intl.NumberFormat("en");

/** @param {number} number @param {string} one @param {string} [several] `many(2, "class", "classes")`: 2 classes */
export function many(number, one, several = `${one}s`) {
  return `${grouped.format(number)} ${number === 1 ? one : several}`;
}

/** @param {number} share 0 to 1; never says 0% or 100% of what is not quite that */
export function percent(share) {
  if (share > 0 && share < 0.005) return "<1%";
  if (share < 1 && share > 0.995) return ">99%";
  return `${Math.round(100 * share)}%`;
}

/** A label as far as a button has room for it. @param {string} label */
export function short(label) {
  return quoted(label.length > LONGEST ? `${label.slice(0, LONGEST - 1).trimEnd()}…` : label);
}

/** @param {string} text */
export function capitalized(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** @param {string} label */
export function quoted(label) {
  return `“${label}”`;
}
