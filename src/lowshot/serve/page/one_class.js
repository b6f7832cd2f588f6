/** One class, in a dialog: its examples, its name, one more example, and deleting. */

import * as api from "./api.js";
import { confirmed } from "./dialogs.js";
import { byId, el, taken } from "./dom.js";
import { gallery } from "./gallery.js";
import { attempt, notice } from "./notice.js";
import { picture } from "./pictures.js";
import { deleteClass, deleteExample } from "./removal.js";
import { teach } from "./teach.js";
import { many, quoted } from "./words.js";

const SHOWN = 200; // examples

class OneClass {
  #label = "";

  mount() {
    this.dialog = byId("one-class");
    byId("rename").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      attempt(() => this.#rename(byId("rename-label").value.trim()));
    });
    byId("add-example").addEventListener("click", () => byId("example-files").click());
    byId("example-files").addEventListener("change", () => attempt(() => this.#add(taken(byId("example-files")))));
    byId("delete-class").addEventListener("click", () => attempt(() => deleteClass(this.#label)));
    this.dialog.addEventListener("close", () => leave());
    gallery.addEventListener("change", () => this.dialog.open && attempt(() => this.#follow()));
  }

  /** @param {string} label */
  async open(label) {
    await this.#fill(label);
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** @param {string} label */
  async #fill(label) {
    const { examples } = await api.classNamed(label);
    this.#label = label;
    byId("one-class-title").textContent = label;
    byId("one-class-count").textContent = counted(examples);
    byId("rename-label").value = label;
    byId("draw-example")?.setAttribute("href", `#draw/${encodeURIComponent(label)}`); // there is none without Draw
    byId("examples").replaceChildren(...examples.slice(0, SHOWN).map(shownExample));
  }

  /** Show what became of the class. */
  async #follow() {
    if (gallery.has(this.#label)) await this.#fill(this.#label);
    else this.dialog.close();
  }

  /** @param {string} to */
  async #rename(to) {
    const from = this.#label;
    if (!to || to === from) return;
    const joins = gallery.has(to);
    if (
      joins &&
      !(await confirmed(
        `Join ${quoted(from)} with ${quoted(to)}?`,
        "There is a class of that name. They cannot be parted again.",
        "Join",
      ))
    )
      return;
    this.#label = to;
    await gallery.rename(from, to).catch((error) => {
      this.#label = from;
      throw error;
    });
    notice(`${quoted(from)} is ${quoted(to)} now.`, joins ? null : () => this.#renameBack(to, from));
  }

  /** @param {string} from @param {string} to */
  async #renameBack(from, to) {
    if (this.#label === from) this.#label = to;
    await gallery.rename(from, to);
  }

  /** @param {File[]} files */
  async #add(files) {
    if (files.length)
      await teach(
        this.#label,
        files.map((file) => ({ data: file, name: file.name })),
      );
  }
}

export const oneClass = new OneClass();

/** @param {api.Example[]} examples */
function counted(examples) {
  const said = examples.filter(({ attributes }) => "described" in attributes).length;
  const real = examples.length - said;
  return [real && many(real, "example"), said && many(said, "description")].filter(Boolean).join(", ");
}

/** @param {api.Example} example */
function shownExample({ id, label, name, attributes: { described, ...attributes }, added }) {
  const what = name || `${described === undefined ? "example" : "description"} ${id}`;
  const stated = described === undefined ? Object.entries(attributes) : []; // what a description says is shown already
  const facts = [what, ...stated.map(([key, value]) => `${key}: ${value}`)].join(" · ");
  const when = `Enrolled ${new Date(added).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" })}`;
  const remove = el(
    "button",
    {
      class: "plain danger",
      "aria-label": `Delete ${what} of ${label}`,
      onclick: () => attempt(() => deleteExample(id)),
    },
    "Delete",
  );
  return el(
    "li",
    { class: "example" },
    picture(id, `${label}: ${what}`, 128),
    el("p", { class: "facts", title: when }, facts),
    remove,
  );
}

/** The address no longer names the class, so that it can be opened once more. */
function leave() {
  if (location.hash.startsWith("#classes/")) history.replaceState(null, "", "#classes");
}
