/** Deleting with a way back: what is deleted is fetched before, and enrolled again by "Undo". */

import * as api from "./api.js";
import { confirmed } from "./dialogs.js";
import { gallery } from "./gallery.js";
import { notice } from "./notice.js";
import { many, quoted } from "./words.js";

const MOST = 100; // examples that are fetched for a way back
const AT_ONCE = 4;

/** @param {string} label @returns {Promise<boolean>} whether it was deleted */
export async function deleteClass(label) {
  const { examples } = await api.classNamed(label);
  const what = `${quoted(label)} and its ${many(examples.length, "example")}`;
  const back = examples.length <= MOST && examples.every(canReturn);
  if (!back && !(await confirmed(`Delete ${what}?`, "This cannot be undone.", "Delete"))) return false;
  const undo = back ? await wayBack(examples) : null;
  await gallery.removeClass(label);
  notice(`Deleted ${what}.`, undo);
  return true;
}

/** @param {number} id @returns {Promise<boolean>} whether it was deleted */
export async function deleteExample(id) {
  const example = await api.example(id);
  const what = `${"described" in example.attributes ? "the description" : "an example"} of ${quoted(example.label)}`;
  const back = canReturn(example);
  if (!back && !(await confirmed(`Delete ${what}?`, "This cannot be undone.", "Delete"))) return false;
  const undo = back ? await wayBack([example]) : null;
  await gallery.remove([id]);
  notice(`Deleted ${what}.`, undo);
  return true;
}

/**
 * Put an example into another class: enrolled there first, so that it is never lost.
 *
 * @param {number} id
 * @param {string} to
 */
export async function moveExample(id, to) {
  const example = await api.example(id);
  if (!canReturn(example)) throw new Error("A description cannot be moved: delete it, and describe the other class.");
  const item = await kept(example);
  const fresh = await gallery.enroll(to, [item]);
  await gallery.remove([id]);
  notice(`Moved an example of ${quoted(example.label)} to ${quoted(to)}.`, async () => {
    await gallery.enroll(example.label, [item]);
    await gallery.remove(fresh);
  });
}

/** Whether it can be enrolled again: a description cannot, nor what is not kept. @param {api.Example} example */
function canReturn({ attributes }) {
  return gallery.keepsItems && !("described" in attributes);
}

/** @param {api.Example[]} examples @returns {Promise<() => Promise<void>>} */
async function wayBack(examples) {
  /** @type {api.Item[]} */
  const items = [];
  for (let i = 0; i < examples.length; i += AT_ONCE)
    items.push(...(await Promise.all(examples.slice(i, i + AT_ONCE).map(kept))));
  return async () => {
    await gallery.enroll(examples[0].label, items);
  };
}

/** @param {api.Example} example @returns {Promise<api.Item>} */
async function kept({ id, name, attributes }) {
  return { data: (await api.file(id)).data, name, attributes };
}
