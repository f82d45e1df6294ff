// A figure's frame: title, choice of model where there are several, plot, caption, data to take along.

import embed from "vega-embed";
import {expressionInterpreter} from "vega-interpreter";
import {csv, download, h, visible} from "./text.js";
import {onTheme, vegaConfig} from "./theme.js";

let figures = [];
let turn = Promise.resolve();

function tooltip(_handler, event, _item, value) {
  const box = document.getElementById("tooltip");
  if (!value) {
    box.hidden = true;
    return;
  }
  box.textContent = value;
  box.hidden = false;
  const {innerWidth, innerHeight} = window;
  box.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8))}px`;
  const below = event.clientY + 16;
  box.style.top = `${below + box.offsetHeight > innerHeight ? event.clientY - box.offsetHeight - 10 : below}px`;
}

async function render(figure) {
  const width = figure.plot.clientWidth;
  if (!width || !figure.element.isConnected) return;
  delete figure.element.dataset.ready;
  const {rows, spec} = figure.make(figure.choice);
  figure.rows = rows;
  figure.width = width;
  figure.finalize?.();
  figure.finalize = null;
  figure.table.replaceChildren();
  figure.details.open = false;
  if (rows.length) {
    const result = await embed(figure.plot, {...spec(width), description: figure.title, background: vegaConfig().background}, {
      mode: "vega-lite", forceActionsMenu: true, renderer: "svg", ast: true, expr: expressionInterpreter, config: vegaConfig(), defaultStyle: false, tooltip,
      actions: {export: true, source: false, compiled: false, editor: false}, downloadFileName: `aor-${figure.name}`,
      i18n: {CLICK_TO_VIEW_ACTIONS: "Save the figure"}, scaleFactor: {png: 2},
    });
    figure.finalize = () => result.finalize();
    figure.element.__view = result.view;
  } else {
    figure.plot.replaceChildren(h("p", {class: "note"}, "Nothing was measured for this choice."));
  }
  figure.element.dataset.ready = "1";
}

function enqueue(figure) {
  turn = turn.then(() => render(figure)).catch((error) => {
    figure.plot.replaceChildren(h("p", {class: "note warning"}, `This figure cannot be drawn: ${visible(error.message)}`));
    console.error(error);
  });
  return turn;
}

function fillTable(figure) {
  const columns = Object.keys(figure.rows[0] ?? {});
  const text = (x) => (typeof x === "number" ? String(Math.round(x * 1e4) / 1e4) : visible(x ?? ""));
  figure.table.replaceChildren(
    h("table", {},
      h("thead", {}, h("tr", {}, columns.map((c) => h("th", {scope: "col"}, c.replaceAll("_", " "))))),
      h("tbody", {}, figure.rows.map((row) => h("tr", {}, columns.map((c) => h("td", {class: typeof row[c] === "number" ? "number" : ""}, text(row[c]))))))));
}

/**
 * Adds a figure to host unless there is nothing to draw. make(choice) gives {rows, spec}: rows are what
 * is downloaded, spec(width) a Vega-Lite specification. Returns whether there was something.
 */
export function addFigure(host, {name, title, caption, make, choices = null}) {
  const options = choices?.options ?? [""];
  const first = options.findIndex((_, i) => make(i).rows.length);
  if (first < 0) return false;
  const plot = h("div", {class: "plot"});
  const table = h("div", {class: "scroll"});
  const details = h("details", {class: "figure-table"}, h("summary", {}, "Table"), table);
  const figure = {name, title, make, plot, table, details, choice: first, rows: []};
  details.addEventListener("toggle", () => details.open && fillTable(figure));
  const head = h("div", {class: "figure-head"}, h("h3", {}, title));
  if (options.length > 1) {
    const select = h("select", {data: {choice: name}}, options.map((o, i) => h("option", {value: i, selected: i === first}, visible(o))));
    select.addEventListener("change", () => {
      figure.choice = Number(select.value);
      enqueue(figure);
    });
    head.append(h("label", {class: "choice"}, choices.label, " ", select));
  }
  const save = (kind) => () => {
    if (kind === "csv") download(`aor-${name}.csv`, "text/csv;charset=utf-8", csv(figure.rows));
    else download(`aor-${name}.json`, "application/json", `${JSON.stringify(figure.rows, null, 1)}\n`);
  };
  figure.element = h("figure", {data: {figure: name}, "aria-label": title}, head, plot,
    h("figcaption", {}, caption, " ",
      h("span", {class: "downloads"},
        h("button", {type: "button", onclick: save("csv"), "aria-label": `${title}: data as CSV`}, "CSV"),
        h("button", {type: "button", onclick: save("json"), "aria-label": `${title}: data as JSON`}, "JSON"))),
    details);
  host.append(figure.element);
  figures.push(figure);
  return true;
}

export function forgetFigures() {
  for (const figure of figures) figure.finalize?.();
  figures = [];
}

/** Draws all figures, one after the other, so that the page stays responsive. */
export async function drawFigures() {
  for (const figure of figures) {
    await enqueue(figure);
    await new Promise((resolve) => setTimeout(resolve));
  }
}

export function startFigures() {
  onTheme(() => figures.forEach(enqueue));
  let timer = 0;
  new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      for (const figure of figures) if (figure.width && Math.abs(figure.plot.clientWidth - figure.width) > 4) enqueue(figure);
    }, 150);
  }).observe(document.getElementById("content"));
  addEventListener("scroll", () => (document.getElementById("tooltip").hidden = true), {passive: true});
}
