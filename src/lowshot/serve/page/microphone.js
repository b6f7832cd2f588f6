/** Recording from the microphone, into a WAV file that every service can read. */

const HEADER = 44; // bytes
const REFUSED = "The microphone may not be used: allow it for this page in the browser’s settings, or choose a file.";
const MISSING = "No microphone was found. Choose a file instead.";
const INSECURE = "Browsers lend the microphone only to pages over HTTPS or on this very machine. Choose a file instead.";

/** @typedef {{stop: () => void, wav: Promise<Blob>}} Recording ends when it is stopped, or is long enough */

/**
 * Start to record.
 *
 * @param {number} longest seconds after which the recording ends by itself
 * @returns {Promise<Recording>} rejected with a reason to show
 */
export async function record(longest) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(INSECURE);
  const stream = await listen();
  const context = new AudioContext();
  const silence = async () => {
    stream.getTracks().forEach((track) => track.stop());
    await context.close();
  };
  try {
    await context.audioWorklet.addModule(new URL("recorder-worklet.js", import.meta.url));
    const recorder = new AudioWorkletNode(context, "recorder", { channelCount: 1, channelCountMode: "explicit" });
    context.createMediaStreamSource(stream).connect(recorder).connect(context.destination); // it gives nothing to hear
    return recording(recorder, context.sampleRate, longest, silence);
  } catch (error) {
    await silence();
    throw error;
  }
}

/** @returns {Promise<MediaStream>} */
async function listen() {
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    const refused = error instanceof DOMException && ["NotAllowedError", "SecurityError"].includes(error.name);
    throw new Error(refused ? REFUSED : MISSING);
  }
}

/**
 * @param {AudioWorkletNode} recorder
 * @param {number} rate of samples per second
 * @param {number} longest in seconds
 * @param {() => Promise<void>} silence
 * @returns {Recording}
 */
function recording(recorder, rate, longest, silence) {
  /** @type {Float32Array[]} */
  const blocks = [];
  let stop = () => {};
  const ended = new Promise((done) => (stop = () => done(undefined)));
  const timer = setTimeout(stop, 2000 * longest); // a microphone that is silenced gives no blocks
  recorder.port.onmessage = ({ data }) => {
    blocks.push(data);
    if (blocks.length * data.length >= longest * rate) stop();
  };
  const wav = ended.then(async () => {
    clearTimeout(timer);
    recorder.port.onmessage = null;
    await silence();
    if (!blocks.length) throw new Error("The microphone gave no sound.");
    return encoded(blocks, rate);
  });
  return { stop, wav };
}

/**
 * 16-bit PCM of one channel.
 *
 * @param {Float32Array[]} blocks samples from -1 to 1
 * @param {number} rate per second
 * @returns {Blob}
 */
function encoded(blocks, rate) {
  const bytes = 2 * blocks.reduce((sum, { length }) => sum + length, 0);
  const view = new DataView(new ArrayBuffer(HEADER + bytes));
  const name = (/** @type {number} */ at, /** @type {string} */ tag) =>
    [...tag].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  name(0, "RIFF");
  view.setUint32(4, HEADER - 8 + bytes, true);
  name(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); // bytes per second
  view.setUint16(32, 2, true); // bytes per sample
  view.setUint16(34, 16, true); // bits per sample
  name(36, "data");
  view.setUint32(40, bytes, true);
  let at = HEADER;
  for (const sample of blocks.flatMap((block) => [...block])) {
    view.setInt16(at, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true);
    at += 2;
  }
  return new Blob([view], { type: "audio/wav" });
}
