/** Photos: dropped, pasted, chosen or taken, several at once; each gets its answer and can be taught. */

import * as api from "./api.js";
import { outcome } from "./answer.js";
import { openCamera } from "./camera.js";
import { byId, el, taken } from "./dom.js";
import { bySize, gallery } from "./gallery.js";
import { announce, attempt, forgive } from "./notice.js";
import { teach } from "./teach.js";
import { many } from "./words.js";

/** A photo on the page, with what is said of it. */
class Photo {
  settled = false;

  /** @param {File} file @param {() => void} dismissed */
  constructor(file, dismissed) {
    this.file = file;
    this.data = file;
    this.name = file.name;
    this.address = URL.createObjectURL(file);
    this.body = el("div", { class: "body", "aria-busy": "true" }, el("p", { class: "soft" }, "Looking …"));
    const close = el(
      "button",
      { class: "plain close", "aria-label": `Take ${file.name} off the page`, onclick: () => this.#close(dismissed) },
      "×",
    );
    this.card = el(
      "article",
      { class: "photo card", "aria-label": file.name, tabindex: -1 },
      el("header", {}, el("h3", {}, file.name), close),
      this.body,
    );
  }

  /** Whether another answer would be in nobody's way. */
  get open() {
    return !this.settled && !this.card.contains(document.activeElement);
  }

  /** @param {api.Answer | null} answer null where nothing is enrolled */
  say(answer) {
    const learn = (/** @type {string} */ label) => attempt(() => this.#teach(label));
    this.#fill(outcome({ answer, own: this.#image(), noun: "photo", decided: 1, teach: learn }));
  }

  /** @param {unknown} error */
  fail(error) {
    this.settled = true;
    this.#fill(el("p", { class: "failed" }, error instanceof Error ? error.message : String(error)));
  }

  /** @param {string} label */
  async #teach(label) {
    this.settled = true;
    try {
      await teach(label, [this]);
      this.card.focus({ preventScroll: true }); // the form is gone
      this.#fill(
        el(
          "div",
          { class: "outcome taught" },
          el("div", { class: "evidence" }, el("figure", {}, this.#image())),
          el(
            "p",
            { class: "verdict" },
            el("strong", {}, label),
            " ",
            el("span", { class: "sure" }, "enrolled as an example"),
          ),
        ),
      );
    } catch (error) {
      this.settled = false;
      throw error;
    }
  }

  #image() {
    return el("img", { class: "picture", src: this.address, alt: this.name, decoding: "async" });
  }

  /** @param {HTMLElement} content */
  #fill(content) {
    this.body.removeAttribute("aria-busy");
    this.body.replaceChildren(content);
  }

  /** @param {() => void} dismissed */
  #close(dismissed) {
    URL.revokeObjectURL(this.address);
    this.card.remove();
    dismissed();
  }
}

class Photos {
  id = "photos";
  /** @type {Set<Photo>} */ #photos = new Set();

  /** @param {api.Card} card */
  suits(card) {
    return card.modality === "image";
  }

  mount() {
    for (const id of ["pick", "capture"]) {
      byId(id).addEventListener("change", () => this.add(taken(byId(id))));
    }
    byId("pick-button").addEventListener("click", () => byId("pick").click());
    byId("camera-button").addEventListener("click", () => attempt(() => openCamera((file) => this.add([file]))));
    byId("clear-photos").addEventListener("click", () => this.#clear());
    gallery.addEventListener("change", () => attempt(() => this.#ask([...this.#photos].filter((each) => each.open))));
  }

  show() {}

  /** @param {File[]} files */
  async add(files) {
    const added = files.map((file) => this.#photo(file));
    byId("photo-list").prepend(...added.map((each) => each.card));
    this.#count();
    await this.#ask(added);
    const [first] = added;
    if (added.length > 1) announce(`${many(added.length, "photo")} looked at.`);
    else if (first) announce(first.body.querySelector(".verdict, .failed")?.textContent ?? "");
  }

  /** @param {File} file */
  #photo(file) {
    const photo = new Photo(file, () => {
      this.#photos.delete(photo);
      this.#count();
    });
    this.#photos.add(photo);
    return photo;
  }

  /** @param {Photo[]} photos */
  async #ask(photos) {
    for (const some of bySize(photos)) await answered(some);
  }

  #clear() {
    for (const photo of this.#photos) URL.revokeObjectURL(photo.address);
    this.#photos.clear();
    byId("photo-list").replaceChildren();
    this.#count();
  }

  #count() {
    byId("clear-photos").hidden = !this.#photos.size;
  }
}

export const photos = new Photos();

/** Ask about several at once; where that fails, one by one, so that a bad file harms no other. @param {Photo[]} some */
async function answered(some) {
  try {
    const answers = await api.identify(some);
    forgive();
    some.forEach((photo, i) => photo.say(answers[i]));
  } catch (error) {
    if (error instanceof api.Problem && error.status === 409) some.forEach((photo) => photo.say(null));
    else if (some.length === 1) some[0].fail(error);
    else for (const photo of some) await answered([photo]);
  }
}
