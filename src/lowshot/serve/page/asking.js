/** One question at a time: whatever is asked anew, or not asked any more, makes the answer before stale. */

import * as api from "./api.js";
import { complain, forgive } from "./notice.js";

export class Asking {
  #asked = new AbortController();

  /** What was asked is of no interest any more. */
  stop() {
    this.#asked.abort();
  }

  /**
   * Ask what an item is, and show the answer unless it is stale by then; null where nothing is enrolled.
   *
   * @param {api.Item | Promise<api.Item>} item
   * @param {(answer: api.Answer | null) => unknown} show
   */
  async ask(item, show) {
    this.stop();
    const { signal } = (this.#asked = new AbortController());
    try {
      const answer = await api.identifyOne(await item, signal);
      if (signal.aborted) return;
      forgive();
      await show(answer);
    } catch (error) {
      if (!signal.aborted) complain(error);
    }
  }
}
