/** Questions that have to be answered before the page goes on. */

import { byId } from "./dom.js";

/**
 * Ask, and wait for yes or no.
 *
 * @param {string} title @param {string} text @param {string} yes
 * @returns {Promise<boolean>}
 */
export async function confirmed(title, text, yes) {
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = yes;
  return (await closed(byId("confirm"))) === "yes";
}

/**
 * Ask for the service's key.
 *
 * @param {boolean} refused whether there was one that is not known
 * @returns {Promise<string | null>}
 */
export async function askForKey(refused) {
  byId("key-text").textContent = refused
    ? "The service does not know this key."
    : "This service answers only who has a key.";
  const field = byId("key-field");
  field.value = "";
  return (await closed(byId("key"))) === "yes" ? field.value.trim() : null;
}

/** @param {HTMLDialogElement} dialog @returns {Promise<string>} the value of the button that closed it */
function closed(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue), { once: true }));
}
