/** What the microphone gives, block by block, sent to the page. It runs on the browser's audio thread. */

class Recorder extends AudioWorkletProcessor {
  /** @param {Float32Array[][]} inputs one, of one channel; none while nothing is connected */
  process([[block]]) {
    if (block) this.port.postMessage(block.slice()); // the browser writes the next one to the same place
    return true;
  }
}

registerProcessor("recorder", Recorder);
