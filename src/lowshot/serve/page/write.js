/** Write: a text is read as soon as the writing pauses, and can be taught. */

import { present } from "./answer.js";
import { Asking } from "./asking.js";
import { byId, el } from "./dom.js";
import { gallery } from "./gallery.js";
import { attempt } from "./notice.js";
import { words } from "./pictures.js";
import { teach } from "./teach.js";

const PAUSE = 350; // milliseconds without a key until the text is read
const DECIDED = 3; // enrolled texts shown

class Write {
  id = "write";
  #asking = new Asking();
  #timer = 0;

  /** @param {import("./api.js").Card} card */
  suits(card) {
    return card.modality === "text";
  }

  mount() {
    this.box.addEventListener("input", () => this.#rewritten());
    gallery.addEventListener("change", () => this.#rewritten());
  }

  show() {
    this.box.focus({ preventScroll: true });
  }

  /** @returns {HTMLTextAreaElement} */
  get box() {
    return byId("text-box");
  }

  /** Whatever is asked is not about what is in the box now. */
  #rewritten() {
    this.#asking.stop();
    clearTimeout(this.#timer);
    if (this.box.value.trim()) this.#timer = setTimeout(() => this.#read(), PAUSE);
    else byId("read").replaceChildren();
  }

  async #read() {
    const text = this.box.value.trim();
    await this.#asking.ask(item(text), (answer) => this.#show(answer, text));
  }

  /** @param {import("./api.js").Answer | null} answer @param {string} text */
  #show(answer, text) {
    const own = el("span", { class: "picture words" }, ...words(text));
    const learn = (/** @type {string} */ label) => attempt(() => this.#teach(label, text));
    present(byId("read"), { answer, own, noun: "text", decided: DECIDED, teach: learn });
  }

  /** @param {string} label @param {string} text */
  async #teach(label, text) {
    await teach(label, [item(text)]);
    this.box.value = "";
    this.#rewritten();
    this.box.focus({ preventScroll: true }); // where the next thing is done; the form is gone
  }
}

export const write = new Write();

/** @param {string} text @returns {import("./api.js").Item} */
function item(text) {
  return { data: new Blob([text], { type: "text/plain" }), name: "" };
}
