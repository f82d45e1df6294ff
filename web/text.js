// Formatting, and the one door by which foreign text comes into the page.

const LONGEST = 4000;
const hidden =
  /\r(?!\n)|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\u{e0000}-\u{e0fff}]/gu;

/** Characters that cannot be seen, or that turn others around, as marks. */
export function visible(text) {
  return String(text).replace(hidden, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** An element; text goes in as text nodes only. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/** Foreign text in an element, cut where it is very long. */
export function longText(text, tag = "div", className = "prose") {
  const whole = String(text);
  if (whole.length <= LONGEST) return h(tag, {class: className}, visible(whole));
  const box = h(tag, {class: className}, visible(whole.slice(0, LONGEST)));
  const more = h("button", {type: "button", class: "more"}, `… show the other ${count(whole.length - LONGEST)} characters`);
  more.addEventListener("click", () => {
    more.replaceWith(document.createTextNode(visible(whole.slice(LONGEST))));
  });
  box.append(more);
  return box;
}

export function shorten(text, length) {
  const seen = visible(text.length > 4 * length ? text.slice(0, 4 * length) : text);
  return seen.length > length ? `${seen.slice(0, length - 1)}…` : seen;
}

export const isNumber = (x) => typeof x === "number" && Number.isFinite(x);
export const count = (n) => n.toLocaleString("en-US");
export const percent = (x) => (isNumber(x) ? `${(100 * x).toFixed(1)}%` : "–");

export function points(x) {
  if (!isNumber(x)) return "–";
  const text = (100 * Math.abs(x)).toFixed(1);
  return text === "0.0" ? "0.0" : `${x < 0 ? "−" : "+"}${text}`;
}

export const percentRange = (low, high) =>
  isNumber(low) && isNumber(high) ? `${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)}%` : "–";
export const pointsRange = (low, high) => (isNumber(low) && isNumber(high) ? `${points(low)} to ${points(high)}` : "–");
export const pValue = (p) => (!isNumber(p) ? "–" : p < 0.001 ? "<0.001" : p.toFixed(3));
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

const cell = (value) => {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Rows of objects as CSV; a cell that a spreadsheet would take for a formula gets an apostrophe. */
export function csv(rows, columns = Object.keys(rows[0] ?? {})) {
  const lines = [columns.map(cell).join(",")];
  for (const row of rows) lines.push(columns.map((c) => cell(row[c])).join(","));
  return `${lines.join("\r\n")}\r\n`;
}

export function download(name, type, parts) {
  const address = URL.createObjectURL(new Blob(Array.isArray(parts) ? parts : [parts], {type}));
  const link = h("a", {href: address, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
