/** The gallery as the page knows it. It says "change" when something was enrolled, removed or renamed. */

import * as api from "./api.js";
import { TERMS } from "./words.js";

class Gallery extends EventTarget {
  /** @type {api.Card | null} */ card = null;
  /** @type {api.ClassSummary[]} */ classes = [];
  examples = 0;
  keepsItems = true;

  get modality() {
    return this.card?.modality ?? "image";
  }

  /** How its items are called. */
  get terms() {
    return TERMS[this.modality];
  }

  async load() {
    [this.card] = await Promise.all([api.encoder(), this.refresh()]);
  }

  /** Ask the service what is enrolled now. */
  async refresh() {
    const { classes, examples, keeps_items } = await api.classes();
    Object.assign(this, { classes, examples, keepsItems: keeps_items });
    this.dispatchEvent(new Event("change"));
  }

  /** @param {string} label */
  has(label) {
    return this.classes.some((each) => each.label === label);
  }

  /**
   * Enroll items, in as many calls as their size takes.
   *
   * @param {string} label
   * @param {api.Item[]} items
   * @returns {Promise<number[]>} the ids of those that were not enrolled under this label before
   */
  async enroll(label, items) {
    return this.#fresh(label, async () => {
      /** @type {number[]} */
      const ids = [];
      for (const some of bySize(items)) ids.push(...(await api.enroll(label, some)).ids);
      return ids;
    });
  }

  /** @param {string} label @param {string} words @returns {Promise<number[]>} as of `enroll` */
  async describe(label, words) {
    return this.#fresh(label, async () => (await api.describe(label, words)).ids);
  }

  /**
   * @param {string} label @param {() => Promise<number[]>} enroll
   * @returns {Promise<number[]>} what is new of it
   */
  async #fresh(label, enroll) {
    const before = new Set(this.has(label) ? (await api.classNamed(label)).examples.map((each) => each.id) : []);
    const ids = await enroll();
    await this.refresh();
    return ids.filter((id) => !before.has(id));
  }

  /** @param {string} label @param {string} to */
  async rename(label, to) {
    await api.rename(label, to);
    await this.refresh();
  }

  /** @param {number[]} ids */
  async remove(ids) {
    for (const id of ids) await api.removeExample(id);
    await this.refresh();
  }

  /** @param {string} label */
  async removeClass(label) {
    await api.removeClass(label);
    await this.refresh();
  }
}

export const gallery = new Gallery();

/** Where on this page a class is shown. @param {string} label */
export const classAddress = (label) => `#classes/${encodeURIComponent(label)}`;

const MOST_BYTES = 8 << 20; // a call; in base64 a third more
const MOST_FILES = 16;

/**
 * Items in groups that fit into one call each.
 *
 * @template {{data: Blob}} T
 * @param {T[]} items
 * @returns {T[][]}
 */
export function bySize(items) {
  /** @type {T[][]} */
  const groups = [];
  let bytes = Infinity;
  for (const item of items) {
    bytes += item.data.size;
    if (bytes > MOST_BYTES || groups[groups.length - 1].length === MOST_FILES) {
      groups.push([]);
      bytes = item.data.size;
    }
    groups[groups.length - 1].push(item);
  }
  return groups;
}
