/**
 * A pad to draw on with mouse, finger, pen or keys. Lengths are in pixels of Omniglot's drawings, which are 105 wide.
 *
 * What is recognized best was tried with strokes traced from Omniglot's validation alphabets: lines of 4, since edges are
 * soft here and hard there; and drawings moved to the middle and brought to one size. That costs next to nothing where all
 * draw alike, and helps much where one draws larger, smaller or elsewhere than before.
 */

/** @typedef {{x: number, y: number}} Point */

const SIDE = 105;
const THICK = 4;
const LONGEST = 70; // side of a drawing that is recognized
const SMALLEST = 10; // side of a drawing that is no mere dot, and is enlarged
const INK = "#000";
const EXPORTED = 210; // pixels
const STEP = 2.5;

/**
 * Says "start" when the pen touches the paper, "stroke" when it leaves it (its `detail` is the time), and "clear".
 */
export class Pad extends EventTarget {
  /** @type {Point[][]} */ strokes = [];
  /** @type {number | null} the pointer that is drawing; -1 for the keys */
  #pointer = null;
  #cursor = { x: SIDE / 2, y: SIDE / 2 };
  #asked = false;

  /** @param {HTMLCanvasElement} canvas square, and focusable */
  constructor(canvas) {
    super();
    this.canvas = canvas;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.#up(/** @type {PointerEvent} */ (event)));
    }
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => this.#draw());
    canvas.addEventListener("blur", () => this.#lift(performance.now()));
    new ResizeObserver(() => this.#draw()).observe(canvas);
  }

  get empty() {
    return this.strokes.length === 0;
  }

  clear() {
    this.#pointer = null;
    this.strokes = [];
    this.#draw();
    this.dispatchEvent(new Event("clear"));
  }

  undo() {
    if (this.strokes.length < 2) return this.clear();
    this.#pointer = null;
    this.strokes.pop();
    this.#draw();
    return this.#say("stroke", performance.now());
  }

  /** @returns {Promise<Blob>} the drawing, black on white, as PNG */
  picture() {
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = EXPORTED;
    const context = /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d"));
    context.fillStyle = "#fff";
    context.fillRect(0, 0, EXPORTED, EXPORTED);
    trace(context, framed(this.strokes), EXPORTED / SIDE);
    return new Promise((done) => sheet.toBlob((blob) => done(/** @type {Blob} */ (blob))));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.#begin(event.pointerId, this.#at(event));
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    this.strokes[this.strokes.length - 1].push(...(passed.length ? passed : [event]).map((each) => this.#at(each)));
    this.#draw();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (event.pointerId === this.#pointer) this.#lift(event.timeStamp);
  }

  /** Arrows move the pen, the space bar puts it down and lifts it. @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? 4 * STEP : STEP;
    const [x, y] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[
      event.key
    ] ?? [0, 0];
    if (x || y) {
      this.#cursor = { x: within(this.#cursor.x + x), y: within(this.#cursor.y + y) };
      if (this.#pointer === -1) this.strokes[this.strokes.length - 1].push(this.#cursor);
    } else if (event.key === " ") {
      if (this.#pointer === null) this.#begin(-1, this.#cursor);
      else this.#lift(event.timeStamp);
    } else if (event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey))) this.undo();
    else if (event.key === "Delete") this.clear();
    else return;
    event.preventDefault();
    this.#draw();
  }

  /** @param {number} pointer @param {Point} point */
  #begin(pointer, point) {
    this.#pointer = pointer;
    this.strokes.push([point]);
    this.#draw();
    this.#say("start");
  }

  /** @param {number} time */
  #lift(time) {
    const drawing = this.#pointer !== null;
    this.#pointer = null;
    this.#draw();
    if (drawing) this.#say("stroke", time);
  }

  /** @param {string} what @param {number} [time] */
  #say(what, time) {
    this.dispatchEvent(new CustomEvent(what, { detail: time }));
  }

  /** @param {PointerEvent} event @returns {Point} */
  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: within((SIDE * (event.clientX - box.left)) / box.width),
      y: within((SIDE * (event.clientY - box.top)) / box.height),
    };
  }

  /** Before the next frame. */
  #draw() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#paint();
    });
  }

  #paint() {
    const { canvas } = this;
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.clearRect(0, 0, side, side);
    trace(context, this.strokes, side / SIDE);
    if (canvas.matches(":focus-visible")) cross(context, this.#cursor, side / SIDE, this.#pointer === -1);
  }
}

/** The strokes in the middle, brought to one size. @param {Point[][]} strokes @returns {Point[][]} */
function framed(strokes) {
  const [xs, ys] = [strokes.flat().map((each) => each.x), strokes.flat().map((each) => each.y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = LONGEST / Math.max(right - left, bottom - top, SMALLEST);
  const place = (/** @type {Point} */ { x, y }) => ({
    x: SIDE / 2 + scale * (x - (left + right) / 2),
    y: SIDE / 2 + scale * (y - (top + bottom) / 2),
  });
  return strokes.map((points) => points.map(place));
}

/**
 * Strokes as smooth lines: through the points halfway between those that were passed.
 *
 * @param {CanvasRenderingContext2D} context @param {Point[][]} strokes @param {number} scale
 */
function trace(context, strokes, scale) {
  context.save();
  context.scale(scale, scale);
  Object.assign(context, { lineWidth: THICK, lineCap: "round", lineJoin: "round", strokeStyle: INK });
  for (const points of strokes) {
    const [first, last] = [points[0], points[points.length - 1]];
    context.beginPath();
    context.moveTo(first.x, first.y);
    for (let i = 1; i < points.length - 1; i++) {
      const { x, y } = points[i];
      context.quadraticCurveTo(x, y, (x + points[i + 1].x) / 2, (y + points[i + 1].y) / 2);
    }
    context.lineTo(last.x + 0.01, last.y); // a dot has a length, too
    context.stroke();
  }
  context.restore();
}

/**
 * Where the keys' pen is.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Point} at
 * @param {number} scale
 * @param {boolean} down
 */
function cross(context, at, scale, down) {
  context.save();
  context.scale(scale, scale);
  context.beginPath();
  context.arc(at.x, at.y, down ? 2.2 : 3.2, 0, 2 * Math.PI);
  Object.assign(context, { lineWidth: 0.8, strokeStyle: "#2f4bd0", fillStyle: "#2f4bd0" });
  if (down) context.fill();
  else context.stroke();
  context.restore();
}

/** @param {number} value */
function within(value) {
  return Math.min(SIDE, Math.max(0, value));
}
