/** Making elements. Text from outside only ever becomes text: nothing here reads HTML. */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element: `el("button", {class: "plain", onclick: go}, "Go")`.
 * Properties starting with "on" are listeners, booleans are attributes that are there or not, the rest are attributes.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  set(made, properties);
  made.append(...present(children));
  return made;
}

/**
 * The same for SVG.
 *
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...Child} children
 */
export function svg(tag, properties = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(made, properties);
  made.append(...present(children));
  return made;
}

/**
 * The element of the page with this id.
 *
 * @param {string} id
 * @returns {any} whatever element the caller knows it to be
 */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * A label that may be broken behind its separators.
 *
 * @param {string} label
 * @returns {DocumentFragment}
 */
export function breakable(label) {
  const made = document.createDocumentFragment();
  made.append(...label.split(/(?<=[/_-])(?=.)/).flatMap((part, i) => (i ? [el("wbr"), part] : [part])));
  return made;
}

/**
 * The files chosen, once: choosing the same again is a change, too.
 *
 * @param {HTMLInputElement} input
 */
export function taken(input) {
  const files = [...(input.files ?? [])];
  input.value = "";
  return files;
}

/** @param {Element} element @param {Record<string, any>} properties */
function set(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
}

/** @param {Child[]} children @returns {(Node | string)[]} */
function present(children) {
  return /** @type {(Node | string)[]} */ (
    children.filter((each) => each !== null && each !== undefined && each !== false)
  );
}
