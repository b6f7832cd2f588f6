/**
 * The service's HTTP interface: everything the page knows comes through here. Addresses are relative, for proxies' sake.
 */

/**
 * @typedef {{label: string, score: number}} Candidate
 * @typedef {{id: number, label: string, name: string, distance: number, described: string | null}} Match
 * @typedef {{name: string, label: string | null, unknown: boolean, confidence: number, known: number,
 *   candidates: Candidate[], examples: Match[], recognizer: string, compared: number}} Answer
 * @typedef {{id: number, label: string, name: string, attributes: Record<string, string>, added: string}} Example
 * @typedef {{label: string, examples: number, first: number}} ClassSummary
 * @typedef {{examples: number, keeps_items: boolean, classes: ClassSummary[]}} Summary
 * @typedef {{name: string, modality: "image" | "sound" | "text", form: {channels: number, seconds: number}, std: number[]}} Card
 * @typedef {{data: Blob, name: string, attributes?: Record<string, string>}} Item
 * @typedef {{points: {id: number, label: string, x: number, y: number}[], shown: number, of: number, how: string}} GalleryMap
 */

const KEY = "lowshot-key";
const RETRIES = 2;
const LONGEST_WAIT = 5; // seconds that a busy service may ask for

/** An answer that is none: what went wrong, in words for the reader. */
export class Problem extends Error {
  /** @param {number} status 0 where there was no answer at all @param {string} detail */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** @type {(refused: boolean) => Promise<string | null>} */
let askForKey = async () => null;
/** @type {Promise<string | null> | null} */
let asking = null;

/** @param {(refused: boolean) => Promise<string | null>} ask gives a key, or null where the reader has none */
export function whenKeyIsNeeded(ask) {
  askForKey = ask;
}

/** Forget the key, so that the next call that needs one asks. */
export function forgetKey() {
  sessionStorage.removeItem(KEY);
}

/** @returns {Promise<Card>} */
export const encoder = () => json("GET", "v1/encoder");

/** @returns {Promise<Summary>} */
export const classes = () => json("GET", "v1/classes");

/** @param {string} label @returns {Promise<{label: string, examples: Example[]}>} */
export const classNamed = (label) => json("GET", classPath(label));

/** @param {number} id @returns {Promise<Example>} */
export const example = (id) => json("GET", `v1/examples/${id}`);

/** @returns {Promise<import("./health.js").Check>} */
export const check = () => json("GET", "v1/check");

/** @returns {Promise<GalleryMap>} */
export const map = () => json("GET", "v1/map");

/** @param {string} label @param {string} to @returns {Promise<{label: string, renamed: number}>} */
export const rename = (label, to) =>
  json("PATCH", classPath(label), { body: JSON.stringify({ label: to }), type: "application/json" });

/** @param {string} label @returns {Promise<{removed: number}>} */
export const removeClass = (label) => json("DELETE", classPath(label));

/** @param {number} id @returns {Promise<{removed: number}>} */
export const removeExample = (id) => json("DELETE", `v1/examples/${id}`);

/**
 * The file an example was enrolled from or, of a description, its words.
 *
 * @param {number} id
 * @param {number} [size] longest side of a picture, for a small one
 * @returns {Promise<{data: Blob, described: boolean}>}
 */
export async function file(id, size) {
  const response = await call("GET", `v1/examples/${id}/file${size ? `?size=${size}` : ""}`);
  return { data: await response.blob(), described: response.headers.has("Lowshot-Described") };
}

/**
 * @param {{data: Blob, name: string}[]} items
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer[]>}
 */
export async function identify(items, signal) {
  const form = new FormData();
  for (const { data, name } of items) form.append("files", data, name);
  return (await json("POST", "v1/identify", { body: form, signal })).answers;
}

/**
 * @param {{data: Blob, name: string}} item
 * @param {AbortSignal} signal
 * @returns {Promise<Answer | null>} null where nothing is enrolled
 */
export async function identifyOne(item, signal) {
  try {
    return (await identify([item], signal))[0];
  } catch (error) {
    if (error instanceof Problem && error.status === 409) return null;
    throw error;
  }
}

/**
 * Enroll items under a label: all of them or none.
 *
 * @param {string} label
 * @param {Item[]} items
 * @returns {Promise<{label: string, ids: number[]}>}
 */
export async function enroll(label, items) {
  const encoded = await Promise.all(
    items.map(async ({ data, name, attributes = {} }) => ({ data: await base64(data), name, attributes })),
  );
  const body = JSON.stringify({ items: encoded });
  return json("POST", `${classPath(label)}/examples`, { body, type: "application/json" });
}

/**
 * Enroll a class by what is said of it.
 *
 * @param {string} label @param {string} words
 * @returns {Promise<{ids: number[]}>}
 */
export const describe = (label, words) =>
  json("POST", "v1/descriptions", {
    body: JSON.stringify({ descriptions: { [label]: words } }),
    type: "application/json",
  });

/** @param {string} label */
const classPath = (label) => `v1/classes/${encodeURIComponent(label)}`;

/**
 * @typedef {{body?: BodyInit, type?: string, signal?: AbortSignal}} Sent
 * @param {string} method @param {string} path @param {Sent} [sent]
 * @returns {Promise<any>}
 */
async function json(method, path, sent) {
  return (await call(method, path, sent)).json();
}

/** @param {string} method @param {string} path @param {Sent} [sent] @returns {Promise<Response>} */
async function call(method, path, sent = {}) {
  for (let busy = 0; ;) {
    const key = sessionStorage.getItem(KEY);
    const response = await send(method, path, sent, key);
    if (response.ok) return response;
    const seconds = wait(response);
    if (response.status === 401 && (await newKey(key))) continue;
    if (seconds === null || busy++ >= RETRIES) throw await problem(response);
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    sent.signal?.throwIfAborted();
  }
}

/** @param {string} method @param {string} path @param {Sent} sent @param {string | null} key */
async function send(method, path, { body, type, signal }, key) {
  const headers = { ...(type && { "Content-Type": type }), ...(key && { Authorization: `Bearer ${key}` }) };
  try {
    return await fetch(path, { method, body, headers, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "The service does not answer. Is it still running?");
  }
}

/** @param {Response} response @returns {number | null} seconds after which a busy service wants to be asked again */
function wait(response) {
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  return [429, 503].includes(response.status) && seconds <= LONGEST_WAIT ? seconds : null;
}

/** @param {string | null} refused @returns {Promise<boolean>} whether there is another key now than the refused one */
async function newKey(refused) {
  if (sessionStorage.getItem(KEY) !== refused) return true;
  asking ??= askForKey(refused !== null).finally(() => {
    asking = null;
  });
  const key = await asking;
  if (key !== null) sessionStorage.setItem(KEY, key);
  return key !== null;
}

/** @param {Response} response */
async function problem(response) {
  const said = await response.json().catch(() => ({}));
  const files = (said.files ?? []).map((/** @type {{reason: string}} */ file) => file.reason).join("; ");
  return new Problem(response.status, files || said.detail || `The service answered ${response.status}.`);
}

/** @param {Blob} blob @returns {Promise<string>} */
function base64(blob) {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).replace(/^[^,]*,?/, ""));
    reader.onerror = () => fail(new Problem(0, "The file cannot be read."));
    reader.readAsDataURL(blob);
  });
}
