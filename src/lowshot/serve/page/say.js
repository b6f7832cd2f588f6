/** Say: a sound is recorded or chosen, gets its answer, and can be taught. */

import * as api from "./api.js";
import { outcome, spoken } from "./answer.js";
import { byId, el, taken } from "./dom.js";
import { gallery } from "./gallery.js";
import { record } from "./microphone.js";
import { announce, attempt, complain } from "./notice.js";
import { player } from "./pictures.js";
import { teach } from "./teach.js";

const DECIDED = 3; // enrolled sounds shown

class Say {
  id = "say";
  #asked = new AbortController();
  /** @type {api.Item | null} */ #clip = null;
  /** @type {import("./microphone.js").Recording | null} */ #recording = null;
  #address = "";

  /** @param {api.Card} card */
  suits(card) {
    return card.modality === "sound";
  }

  mount() {
    this.button.addEventListener("click", () => attempt(() => this.#press()));
    byId("sound-button").addEventListener("click", () => byId("sound-file").click());
    byId("sound-file").addEventListener("change", () => attempt(() => this.add(taken(byId("sound-file")))));
    gallery.addEventListener("change", () => this.#ask());
  }

  show() {
    this.button.focus({ preventScroll: true });
  }

  /** @returns {HTMLButtonElement} */
  get button() {
    return byId("record");
  }

  /** @param {File[]} files */
  async add(files) {
    if (files.length > 1) throw new Error("One sound at a time, please.");
    const [file] = files;
    if (file) await this.#hear({ data: file, name: file.name });
  }

  /** The button starts a recording, and ends one. */
  async #press() {
    if (this.#recording) return this.#recording.stop();
    this.button.disabled = true; // until the reader has lent the microphone
    try {
      this.#recording = await record();
      this.#tell(true);
      await this.#hear({ data: await this.#recording.wav, name: "" });
    } finally {
      this.#recording = null;
      this.#tell(false);
    }
    return undefined;
  }

  /** @param {boolean} recording */
  #tell(recording) {
    this.button.disabled = false;
    this.button.textContent = recording ? "Stop" : "Record";
    this.button.classList.toggle("recording", recording);
    if (recording) {
      announce("Recording.");
      this.button.focus({ preventScroll: true }); // a disabled button loses it
    }
  }

  /** @param {api.Item | null} clip */
  async #hear(clip) {
    URL.revokeObjectURL(this.#address);
    this.#clip = clip;
    this.#address = clip ? URL.createObjectURL(clip.data) : "";
    byId("heard").replaceChildren();
    await this.#ask();
  }

  async #ask() {
    this.#asked.abort();
    const { signal } = (this.#asked = new AbortController());
    const clip = this.#clip;
    if (!clip) return;
    try {
      const answer = await api.identifyOne(clip, signal);
      if (!signal.aborted) this.#show(answer, clip);
    } catch (error) {
      if (!signal.aborted) complain(error);
    }
  }

  /** @param {api.Answer | null} answer @param {api.Item} clip */
  #show(answer, clip) {
    const typed = byId("heard").querySelector("input")?.value ?? "";
    const own = el("span", { class: "picture sound" }, player("Your sound", this.#address));
    const learn = (/** @type {string} */ label) => attempt(() => this.#teach(label, clip));
    byId("heard").replaceChildren(
      outcome({ answer, own, noun: "sound", decided: DECIDED, suggested: typed, teach: learn }),
    );
    announce(answer ? spoken(answer) : "Nothing is known yet. Name this sound.");
  }

  /** @param {string} label @param {api.Item} clip */
  async #teach(label, clip) {
    await teach(label, [clip]);
    await this.#hear(null);
    this.button.focus({ preventScroll: true }); // where the next thing is done; the form is gone
  }
}

export const say = new Say();
