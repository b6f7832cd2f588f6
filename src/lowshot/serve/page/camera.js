/**
 * Taking a picture: with the page's own viewfinder or, where a browser has none to give, with the phone's camera program.
 */

import { byId } from "./dom.js";

/** @typedef {(file: File) => void} Take */

const REFUSED = "The camera may not be used: allow it for this page in the browser’s settings, or choose a file.";
const MISSING = "No camera was found. Choose a file instead.";

/**
 * Open the viewfinder.
 *
 * @param {Take} take
 * @returns {Promise<void>} rejected with a reason to show
 */
export async function openCamera(take) {
  if (!navigator.mediaDevices?.getUserMedia) return byId("capture").click(); // only on secure origins
  const stream = await start();
  const dialog = byId("camera");
  const video = byId("viewfinder");
  const shutter = byId("shutter");
  const shoot = async () => take(await frame(video));
  video.srcObject = stream;
  shutter.addEventListener("click", shoot);
  dialog.addEventListener(
    "close",
    () => {
      stream.getTracks().forEach((track) => track.stop());
      video.srcObject = null;
      shutter.removeEventListener("click", shoot);
    },
    { once: true },
  );
  dialog.showModal();
  return undefined;
}

/** @returns {Promise<MediaStream>} */
async function start() {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    const refused = error instanceof DOMException && ["NotAllowedError", "SecurityError"].includes(error.name);
    throw new Error(refused ? REFUSED : MISSING);
  }
}

/** @param {HTMLVideoElement} video @returns {Promise<File>} */
function frame(video) {
  const sheet = document.createElement("canvas");
  sheet.width = video.videoWidth;
  sheet.height = video.videoHeight;
  /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d")).drawImage(video, 0, 0);
  const name = `camera ${new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".")}.jpg`;
  return new Promise((done) =>
    sheet.toBlob(
      (blob) => done(new File([/** @type {Blob} */ (blob)], name, { type: "image/jpeg" })),
      "image/jpeg",
      0.92,
    ),
  );
}
