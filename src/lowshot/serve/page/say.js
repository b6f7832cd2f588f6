/** Say: a sound is recorded or chosen, gets its answer, and can be taught. */

import { present } from "./answer.js";
import { Asking } from "./asking.js";
import { byId, el, taken } from "./dom.js";
import { gallery } from "./gallery.js";
import { record } from "./microphone.js";
import { announce, attempt } from "./notice.js";
import { player, silence } from "./sounds.js";
import { teach } from "./teach.js";

const DECIDED = 3; // enrolled sounds shown
const SHORTEST = 2; // seconds that a recording may last, however little the encoder hears

class Say {
  id = "say";
  #asking = new Asking();
  /** @type {import("./api.js").Item | null} */ #clip = null;
  /** @type {import("./microphone.js").Recording | null} */ #recording = null;
  #address = "";

  /** @param {import("./api.js").Card} card */
  suits(card) {
    return card.modality === "sound";
  }

  mount() {
    byId("longest").textContent = String(this.longest);
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

  /** Seconds after which a recording ends by itself: the encoder hears no more. */
  get longest() {
    return Math.max(SHORTEST, gallery.card?.form.seconds ?? 0);
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
    silence();
    this.button.disabled = true; // until the reader has lent the microphone
    try {
      this.#recording = await record(this.longest);
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

  /** @param {import("./api.js").Item | null} clip */
  async #hear(clip) {
    silence();
    URL.revokeObjectURL(this.#address);
    this.#clip = clip;
    this.#address = clip ? URL.createObjectURL(clip.data) : "";
    byId("heard").replaceChildren();
    await this.#ask();
  }

  async #ask() {
    const clip = this.#clip;
    if (clip) await this.#asking.ask(clip, (answer) => this.#show(answer, clip));
    else this.#asking.stop();
  }

  /** @param {import("./api.js").Answer | null} answer @param {import("./api.js").Item} clip */
  #show(answer, clip) {
    const own = el("span", { class: "picture sound" }, player("your sound", this.#address));
    const learn = (/** @type {string} */ label) => attempt(() => this.#teach(label, clip));
    present(byId("heard"), { answer, own, noun: "sound", decided: DECIDED, teach: learn });
  }

  /** @param {string} label @param {import("./api.js").Item} clip */
  async #teach(label, clip) {
    await teach(label, [clip]);
    await this.#hear(null);
    this.button.focus({ preventScroll: true }); // where the next thing is done; the form is gone
  }
}

export const say = new Say();
