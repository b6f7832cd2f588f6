/** Draw: teach a character with one drawing, draw it again, and see it recognized. */

import { present } from "./answer.js";
import { Asking } from "./asking.js";
import { byId, el } from "./dom.js";
import { classAddress, gallery } from "./gallery.js";
import { attempt } from "./notice.js";
import { Pad } from "./pad.js";
import { picture } from "./pictures.js";
import { teach } from "./teach.js";
import { many, quoted } from "./words.js";

const NAME = "drawing.png";
const DECIDED = 3; // enrolled drawings beside an answer
const SHOWN = 24; // classes below the pad

/** Encoders of ink: gray pictures, with ink as 1 and paper as 0. @param {import("./api.js").Card} card */
const isOfDrawings = (card) => card.modality === "image" && card.form.channels === 1 && card.std[0] < 0;

class Draw {
  id = "draw";
  pad = new Pad(byId("pad"));
  /** @type {HTMLElement} */ panel = byId("drawn");
  #asking = new Asking();
  #wanted = "";

  /** @param {import("./api.js").Card} card */
  suits(card) {
    return isOfDrawings(card);
  }

  mount() {
    this.pad.addEventListener("start", () => this.#forget());
    this.pad.addEventListener("stroke", (event) => this.#recognize(/** @type {CustomEvent<number>} */ (event).detail));
    this.pad.addEventListener("clear", () => this.#rest());
    byId("undo-stroke").addEventListener("click", () => this.pad.undo());
    byId("clear-pad").addEventListener("click", () => this.#clear());
    gallery.addEventListener("change", () => this.#changed());
    this.#changed();
  }

  /** @param {string} [label] a class that a drawing is wanted of */
  show(label = "") {
    this.#wanted = label;
    if (label) this.#clear(label);
  }

  /** @param {string} [wanted] */
  #clear(wanted = "") {
    this.#wanted = wanted;
    this.pad.clear();
  }

  /**
   * Ask at once: whoever goes on drawing makes the answer stale, and it is dropped.
   *
   * @param {number} since when the pen left
   */
  async #recognize(since) {
    this.#buttons();
    this.#forget();
    const drawn = this.pad.picture().then((data) => ({ data, name: NAME }));
    await this.#asking.ask(drawn, async (answer) => {
      this.#show(answer, (await drawn).data);
      await painted();
      byId("took").textContent = `Answered in ${Math.round(performance.now() - since)} ms`;
    });
  }

  /** @param {import("./api.js").Answer | null} answer @param {Blob} drawing */
  #show(answer, drawing) {
    const address = URL.createObjectURL(drawing);
    const own = el("img", {
      class: "picture",
      src: address,
      alt: "Your drawing",
      onload: () => URL.revokeObjectURL(address),
    });
    const learn = (/** @type {string} */ label) => attempt(() => this.#teach(label, drawing));
    present(this.panel, {
      answer,
      own,
      noun: "drawing",
      decided: DECIDED,
      suggested: this.#wanted,
      teach: learn,
    });
  }

  /** @param {string} label @param {Blob} drawing */
  async #teach(label, drawing) {
    await teach(label, [{ data: drawing, name: NAME }]);
    this.#clear();
    this.pad.canvas.focus({ preventScroll: true }); // where the next thing is done; the form is gone
    this.#hint(`Now draw ${quoted(label)} again`, "or something else: what is not known is called unknown.");
  }

  /** Whatever is asked or was answered is not about what is on the paper now. */
  #forget() {
    this.#asking.stop();
    byId("took").textContent = "";
  }

  #rest() {
    this.#forget();
    this.#buttons();
    if (this.#wanted) this.#hint(`Draw ${quoted(this.#wanted)}`, "and add it as one more example.");
    else if (gallery.examples) this.#hint("Draw something", "The answer comes when you lift the pen.");
    else this.panel.replaceChildren(byId("first-steps").content.cloneNode(true));
  }

  /** @param {string} title @param {string} detail */
  #hint(title, detail) {
    const verdict = el("p", { class: "verdict" }, el("strong", {}, title));
    this.panel.replaceChildren(el("div", { class: "outcome hint" }, verdict, el("p", { class: "soft" }, detail)));
  }

  #buttons() {
    for (const id of ["undo-stroke", "clear-pad"]) byId(id).disabled = this.pad.empty;
  }

  #changed() {
    if (this.pad.empty) this.#rest();
    const known = gallery.classes.slice(0, SHOWN);
    byId("known-title").hidden = !known.length;
    byId("known-title").textContent =
      known.length < gallery.classes.length
        ? `Some of ${many(gallery.classes.length, "class", "classes")} known`
        : "Known";
    byId("known").replaceChildren(
      ...known.map(({ label, first }) =>
        el(
          "li",
          {},
          el(
            "a",
            { href: classAddress(label), title: label, "aria-label": label },
            picture(first, label, 48),
          ),
        ),
      ),
    );
  }
}

export const draw = new Draw();

/** When what was changed is on the screen. @returns {Promise<void>} */
function painted() {
  return new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}
