/** Playing sounds, one at a time: starting one stops the other. */

import { el } from "./dom.js";
import { complain, forgive } from "./notice.js";

const audio = new Audio();
/** @type {HTMLButtonElement | null} the button of what is playing */
let playing = null;

for (const end of ["ended", "pause", "error"]) audio.addEventListener(end, () => show(null));
document.addEventListener("close", () => silence(), { capture: true }); // of a dialog, and its buttons with it

/**
 * A button that plays a sound, and stops it.
 *
 * @param {string} name of the sound
 * @param {string} source its address
 */
export function player(name, source) {
  const button = el("button", { type: "button", class: "play", "aria-label": `Play ${name}`, title: name });
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => (playing === button ? silence() : play(button, source)));
  return button;
}

/** Stop what is playing. */
export function silence() {
  audio.pause();
  show(null);
}

/** @param {HTMLButtonElement} button @param {string} source */
async function play(button, source) {
  silence();
  audio.src = source;
  show(button);
  try {
    await audio.play();
    forgive();
    button.style.setProperty("--seconds", `${audio.duration}s`);
  } catch (error) {
    if (playing !== button) return; // another sound was started meanwhile
    show(null);
    complain(error instanceof DOMException ? "This browser cannot play the sound." : error);
  }
}

/** @param {HTMLButtonElement | null} button */
function show(button) {
  playing?.setAttribute("aria-pressed", "false");
  playing = button;
  playing?.setAttribute("aria-pressed", "true");
}
