/** Classes: what is enrolled, with one example of each; search, add, and open one. */

import * as api from "./api.js";
import { oneClass } from "./one_class.js";
import { breakable, byId, el, taken } from "./dom.js";
import { classAddress, gallery } from "./gallery.js";
import { attempt } from "./notice.js";
import { beside } from "./pictures.js";
import { describe, teach } from "./teach.js";
import { many } from "./words.js";

const PAGE = 240; // cards added at a time

class Classes {
  id = "classes";
  #shown = PAGE;

  suits() {
    return true;
  }

  mount() {
    oneClass.mount();
    byId("search").addEventListener("input", () => this.#search());
    byId("more-classes").addEventListener("click", () => {
      this.#shown += PAGE;
      this.#fill();
    });
    byId("add-class").addEventListener("click", () => byId("new-class").showModal());
    byId("new-class-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) =>
      attempt(() => this.#add(event)),
    );
    byId("new-class-meaning").hidden = gallery.modality !== "text";
    byId("new-class-words").addEventListener("input", () => this.#need());
    gallery.addEventListener("change", () => this.#fill());
    this.#fill();
  }

  /** Files are needed where nothing is said. */
  #need() {
    byId("new-class-files").required = !byId("new-class-words").value.trim();
  }

  /** @param {string} [label] a class to open */
  show(label = "") {
    if (label) attempt(() => oneClass.open(label));
  }

  #search() {
    this.#shown = PAGE;
    this.#fill();
  }

  #fill() {
    const wanted = byId("search").value.trim().toLocaleLowerCase();
    const found = gallery.classes.filter((each) => each.label.toLocaleLowerCase().includes(wanted));
    const cards = found.slice(0, this.#shown).map(card);
    byId("class-grid").replaceChildren(...cards);
    byId("class-count").textContent = count(found.length, wanted);
    byId("more-classes").hidden = found.length <= this.#shown;
    byId("more-classes").textContent =
      `Show more (${many(found.length - this.#shown, "class is", "classes are")} left)`;
  }

  /** @param {SubmitEvent} event */
  async #add(event) {
    event.preventDefault();
    const [field, meaning] = [byId("new-class-label"), byId("new-class-words")];
    const items = taken(byId("new-class-files")).map((file) => ({ data: file, name: file.name }));
    const [label, words] = [field.value.trim(), meaning.value.trim()];
    if (items.length) await teach(label, items);
    if (words) await describe(label, words);
    field.value = meaning.value = "";
    this.#need();
    byId("new-class").close();
  }
}

export const classes = new Classes();

/** @param {api.ClassSummary} summary */
function card({ label, examples, first }) {
  return el(
    "li",
    { class: "class card" },
    beside(first, label, 128),
    el(
      "a",
      { href: classAddress(label) },
      el("b", {}, breakable(label)),
      el("span", { class: "soft" }, many(examples, "example")),
    ),
  );
}

/** @param {number} found @param {string} wanted */
function count(found, wanted) {
  if (!gallery.classes.length) return `Nothing is enrolled yet. Add a class from one ${gallery.terms.noun}.`;
  if (wanted && !found) return "No class has a name like that.";
  return wanted
    ? `${many(found, "class", "classes")} of ${gallery.classes.length}`
    : `${many(found, "class", "classes")}, ${many(gallery.examples, "example")}`;
}
