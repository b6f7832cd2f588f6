/** Write: a text is read as soon as the writing pauses, and can be taught. */

import * as api from "./api.js";
import { outcome, spoken } from "./answer.js";
import { byId, el } from "./dom.js";
import { gallery } from "./gallery.js";
import { announce, attempt, complain } from "./notice.js";
import { teach } from "./teach.js";

const PAUSE = 350; // milliseconds without a key until the text is read
const DECIDED = 3; // enrolled texts shown

class Write {
  id = "write";
  #asked = new AbortController();
  #timer = 0;

  /** @param {api.Card} card */
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
    this.#asked.abort();
    clearTimeout(this.#timer);
    if (this.box.value.trim()) this.#timer = setTimeout(() => this.#read(), PAUSE);
    else byId("read").replaceChildren();
  }

  async #read() {
    const { signal } = (this.#asked = new AbortController());
    const text = this.box.value.trim();
    try {
      const answer = await api.identifyOne(item(text), signal);
      if (!signal.aborted) this.#show(answer, text);
    } catch (error) {
      if (!signal.aborted) complain(error);
    }
  }

  /** @param {api.Answer | null} answer @param {string} text */
  #show(answer, text) {
    const typed = byId("read").querySelector("input")?.value ?? "";
    const own = el("span", { class: "picture words" }, text);
    const learn = (/** @type {string} */ label) => attempt(() => this.#teach(label, text));
    byId("read").replaceChildren(
      outcome({ answer, own, noun: "text", decided: DECIDED, suggested: typed, teach: learn }),
    );
    announce(answer ? spoken(answer) : "Nothing is known yet. Name this text.");
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

/** @param {string} text @returns {api.Item} */
function item(text) {
  return { data: new Blob([text], { type: "text/plain" }), name: "" };
}
