/** The page: its tabs, what the address says, and what belongs to none of them. */

import * as api from "./api.js";
import { classes } from "./classes.js";
import { askForKey } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { draw } from "./draw.js";
import { gallery } from "./gallery.js";
import { health } from "./health.js";
import { attempt, forgive } from "./notice.js";
import { photos } from "./photos.js";
import { say } from "./say.js";
import { silence } from "./sounds.js";
import { capitalized, many } from "./words.js";
import { write } from "./write.js";

/**
 * One tab. Its panel has another id than the address names, lest the browser take the focus there.
 *
 * @typedef {{id: string, suits: (card: api.Card) => boolean, mount: () => void, show: (argument?: string) => unknown}} View
 */

/** @type {View[]} in the order of the tabs; the first one that suits the gallery's encoder is shown first */
const VIEWS = [draw, photos, say, write, classes, health];
const FILES = { image: "image/*", sound: "audio/*", text: ".txt,text/plain" }; // that a class is taught from
const LABELS = 2000; // suggested while typing

/** @type {View[]} those that suit the encoder */
let views = [];
let shown = ""; // the view, by its id

async function start() {
  api.whenKeyIsNeeded(askForKey);
  await gallery.load();
  const card = /** @type {api.Card} */ (gallery.card);
  views = VIEWS.filter((view) => view.suits(card));
  for (const { id } of VIEWS.filter((view) => !views.includes(view))) {
    for (const part of document.querySelectorAll(`#${id}-tab, [data-needs="${id}"]`)) part.remove();
  }
  gallery.addEventListener("change", tellWhatIsEnrolled);
  tellWhatIsEnrolled();
  for (const id of ["example-files", "new-class-files"]) byId(id).accept = FILES[card.modality];
  byId("new-class-items").textContent = `${capitalized(gallery.terms.noun)}s – one is enough`;
  views.forEach((view) => view.mount());
  listen();
  follow();
  byId("page").hidden = false;
}

function listen() {
  window.addEventListener("hashchange", follow);
  document.addEventListener("visibilitychange", () => document.hidden || attempt(() => gallery.refresh()));
  byId("tabs").addEventListener("keydown", moveAlong);
  byId("skip").addEventListener("click", (/** @type {MouseEvent} */ event) => {
    event.preventDefault(); // the address names the view
    byId("main").focus();
  });
  for (const tab of tabs()) tab.addEventListener("click", () => go(tab.dataset.view ?? ""));
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.querySelectorAll("[data-close]").forEach((button) => button.addEventListener("click", () => dialog.close()));
  }
  const taker = [photos, say].find((view) => views.includes(view));
  if (taker) takeFiles(taker);
}

/** Files may be dropped or pasted anywhere. @param {View & {add: (files: File[]) => Promise<void>}} taker */
function takeFiles(taker) {
  const take = async (/** @type {DataTransfer | null} */ data) => {
    const files = [...(data?.files ?? [])];
    if (!files.length || document.querySelector("dialog:modal")) return;
    await go(taker.id); // what is wrong with the files is told there
    attempt(() => taker.add(files));
  };
  const over = (/** @type {boolean} */ on) => document.body.classList.toggle("dropping", on);
  document.addEventListener("paste", (event) => take(event.clipboardData));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    take(event.dataTransfer);
  });
}

/** Show what the address asks for: `#draw`, `#classes/label`. */
function follow() {
  silence();
  const [id, ...rest] = location.hash.slice(1).split("/");
  const view = views.find((each) => each.id === id) ?? views[0];
  if (view !== classes || !rest.length)
    document.querySelectorAll("dialog[open]").forEach((each) => /** @type {HTMLDialogElement} */ (each).close());
  if (view.id !== shown) forgive();
  shown = view.id;
  for (const tab of tabs()) {
    const chosen = tab.dataset.view === view.id;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }
  for (const { id: each } of VIEWS) byId(`${each}-view`).hidden = each !== view.id;
  view.show(decoded(rest.join("/")));
}

/** @param {string} id of a view @returns {Promise<void>} when it is shown */
async function go(id) {
  if (location.hash.slice(1).split("/")[0] === id) return follow();
  const followed = new Promise((done) => window.addEventListener("hashchange", done, { once: true }));
  location.hash = id;
  await followed;
}

/** Arrows, Home and End choose a tab. @param {KeyboardEvent} event */
function moveAlong(event) {
  const all = tabs();
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  const tab = all[(to + all.length) % all.length];
  tab.focus();
  go(tab.dataset.view ?? "");
}

/** @returns {HTMLElement[]} */
function tabs() {
  return [...byId("tabs").querySelectorAll("[role=tab]")];
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

function tellWhatIsEnrolled() {
  byId("enrolled").textContent =
    `${many(gallery.classes.length, "class", "classes")} · ${many(gallery.examples, "example")}`;
  byId("encoder").textContent = gallery.card?.name ?? "";
  byId("labels").replaceChildren(
    ...gallery.classes.slice(0, LABELS).map(({ label }) => el("option", { value: label })),
  );
}

start().catch((error) => {
  byId("failed-text").textContent = error instanceof Error ? error.message : String(error);
  byId("failed").hidden = false;
  byId("try-again").addEventListener("click", () => location.reload());
});
