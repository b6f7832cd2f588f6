/** Expected accuracy by examples of a class: a line, its 95 % interval, and the same as a table. */

import { el, svg } from "./dom.js";
import { percent } from "./words.js";

/**
 * @typedef {{shots: number, accuracy: number, low: number, high: number, classes: number, queries: number,
 *   how: string}} Shots
 */
/** @typedef {{x: (shots: number) => number, y: (share: number) => number, floor: number, width: number}} Scale */

const WIDEST = 640;
const HEIGHT = 260;
const ROOM = 40; // for a number
const EDGE = { left: 46, right: 18, top: 26, bottom: 42 };

/** @param {Shots[]} accuracy @returns {HTMLElement} */
export function chart(accuracy) {
  const scale = scaled(accuracy, Math.min(WIDEST, innerWidth - 32)); // so that letters are as large as elsewhere
  const words = accuracy.map((each) => `${each.shots}: ${percent(each.accuracy)}`).join(", ");
  const picture = svg(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${scale.width} ${HEIGHT}`,
      role: "img",
      "aria-label": `Expected accuracy by examples of a class: ${words}`,
    },
    ...rules(scale),
    svg("polygon", { class: "interval", points: outline(accuracy, scale) }),
    svg("polyline", {
      class: "line",
      points: accuracy.map((each) => `${scale.x(each.shots)},${scale.y(each.accuracy)}`).join(" "),
    }),
    ...accuracy.map((each) => point(each, scale)),
    ...apart(accuracy, scale).flatMap((each) => values(each, scale)),
    svg(
      "text",
      { class: "axis", x: (scale.width + EDGE.left - EDGE.right) / 2, y: HEIGHT - 4, "text-anchor": "middle" },
      "examples of each class",
    ),
  );
  return el("div", {}, picture, el("details", {}, el("summary", {}, "As a table"), table(accuracy)));
}

/**
 * Examples by their logarithm, since what one more brings falls with their number.
 *
 * @param {Shots[]} accuracy
 * @param {number} width
 * @returns {Scale}
 */
function scaled(accuracy, width) {
  const logs = accuracy.map((each) => Math.log(each.shots));
  const [first, last] = [Math.min(...logs), Math.max(...logs)];
  const floor = Math.floor(10 * Math.min(0.9, ...accuracy.map((each) => each.low)) + 1e-9) / 10;
  const inset = 24;
  const [left, wide] = [EDGE.left + inset, width - EDGE.left - EDGE.right - 2 * inset];
  const high = HEIGHT - EDGE.top - EDGE.bottom;
  return {
    floor,
    width,
    x: (shots) => round(left + (last > first ? (wide * (Math.log(shots) - first)) / (last - first) : wide / 2)),
    y: (share) => round(EDGE.top + (high * (1 - share)) / (1 - floor)),
  };
}

/** @param {Scale} scale */
function rules({ floor, y, width }) {
  const steps = [0, 0.5, 1].map((part) => floor + part * (1 - floor));
  return steps.flatMap((share) => [
    svg("line", { class: "rule", x1: EDGE.left, x2: width - EDGE.right, y1: y(share), y2: y(share) }),
    svg(
      "text",
      { class: "axis", x: EDGE.left - 8, y: y(share) + 4, "text-anchor": "end" },
      `${Math.round(100 * share)}%`,
    ),
  ]);
}

/** @param {Shots[]} accuracy @param {Scale} scale */
function outline(accuracy, { x, y }) {
  const highs = accuracy.map((each) => `${x(each.shots)},${y(each.high)}`);
  const lows = accuracy.map((each) => `${x(each.shots)},${y(each.low)}`);
  return [...highs, ...lows.reverse()].join(" ");
}

/** @param {Shots} each @param {Scale} scale */
function point(each, { x, y }) {
  const look = each.how === "held out" ? "point" : "point guess";
  return svg("circle", { class: look, cx: x(each.shots), cy: y(each.accuracy), r: 5 }, svg("title", {}, told(each)));
}

/**
 * Points with room for a number: all but those too close to the one before.
 *
 * @param {Shots[]} accuracy
 * @param {Scale} scale
 */
function apart(accuracy, { x }) {
  /** @type {Shots[]} */
  const kept = [];
  for (const each of accuracy) {
    if (!kept.length || x(each.shots) - x(kept[kept.length - 1].shots) >= ROOM) kept.push(each);
  }
  return kept;
}

/** @param {Shots} each @param {Scale} scale */
function values(each, { x, y }) {
  const left = x(each.shots);
  return [
    svg("text", { class: "value", x: left, y: y(each.accuracy) - 11, "text-anchor": "middle" }, percent(each.accuracy)),
    svg("text", { class: "axis", x: left, y: HEIGHT - EDGE.bottom + 20, "text-anchor": "middle" }, String(each.shots)),
  ];
}

/** @param {Shots} each */
function told({ shots, accuracy, low, high, how }) {
  return `${shots}: ${percent(accuracy)} (${percent(low)} to ${percent(high)}), ${how}`;
}

/** @param {Shots[]} accuracy */
function table(accuracy) {
  const head = el(
    "tr",
    {},
    ...["examples", "right", "95% interval", "how"].map((title) => el("th", { scope: "col" }, title)),
  );
  const rows = accuracy.map((each) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, String(each.shots)),
      ...[percent(each.accuracy), `${percent(each.low)} – ${percent(each.high)}`, each.how].map((text) =>
        el("td", {}, text),
      ),
    ),
  );
  return el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows));
}

/** @param {number} value */
function round(value) {
  return Math.round(10 * value) / 10;
}
