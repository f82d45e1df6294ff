// Vega-Lite specifications. Names from the data are data values only, in domains and rows.

import {colours, isDark, SHAPES} from "./theme.js";
import {isNumber} from "./text.js";

const unique = (values) => [...new Set(values)];
const labelLimit = (width) => (width < 520 ? 165 : width < 800 ? 200 : 300);

const legendColumns = (names, width) => {
  const longest = Math.max(...names.map((n) => n.length), 1);
  return Math.max(1, Math.min(names.length, Math.floor((width - 40) / (longest * 7 + 40))));
};

function seriesEncoding(names, title, width) {
  const palette = colours().series;
  const legend = names.length > 1 ? {title, symbolOpacity: 1, columns: legendColumns(names, width)} : null;
  return {
    color: {field: "series", type: "nominal", scale: {domain: names, range: names.map((_, i) => palette[i % palette.length])}, legend},
    shape: {field: "series", type: "nominal", scale: {domain: names, range: names.map((_, i) => SHAPES[i % SHAPES.length])}, legend},
  };
}

function niceTop(rows) {
  const top = Math.max(10, ...rows.flatMap((r) => [r.value, r.high]).filter(isNumber));
  return Math.min(100, Math.ceil((top + 1) / 10) * 10);
}

/**
 * Points with intervals, a line for each label and a colour and shape for each series. rows: {label,
 * series, value, low, high, tip}, in percent or points.
 */
function dots({rows, width, seriesNames, seriesTitle, labels, x, behind = [], text = false, stacked = true}) {
  const names = seriesNames ?? unique(rows.map((r) => r.series));
  const order = labels ?? unique(rows.map((r) => r.label));
  const c = colours();
  const hasOffset = stacked && names.length > 1;
  const room = text && width >= 620;
  const {color, shape} = seriesEncoding(names, seriesTitle ?? null, width);
  const y = {field: "label", type: "nominal", sort: null, scale: {domain: order, paddingInner: hasOffset ? 0.25 : 0.1}, axis: {title: null, labelLimit: labelLimit(width), grid: hasOffset}};
  const offset = hasOffset ? {yOffset: {field: "series", type: "nominal", sort: null, scale: {domain: names}}} : {};
  const layer = [
    ...behind,
    {data: {values: rows.filter((r) => isNumber(r.low) && isNumber(r.high))}, mark: {type: "rule", strokeWidth: 2, opacity: 0.75},
      encoding: {y, ...offset, x: {...x, field: "low"}, x2: {field: "high"}, color, tooltip: {field: "tip"}}},
    {data: {values: rows}, mark: {type: "point", filled: true, size: 85, opacity: 1},
      encoding: {y, ...offset, x: {...x, field: "value"}, color, shape, tooltip: {field: "tip"}}},
  ];
  if (room) {
    layer.push({data: {values: rows}, mark: {type: "text", align: "left", fontSize: 11.5, color: c.soft, dx: 12},
      encoding: {y, ...offset, x: {value: "width"}, text: {field: "text"}}});
  }
  return {
    width, height: order.length * (hasOffset ? names.length * Math.max(13, 20 - names.length) + 16 : 26),
    autosize: {type: "fit-x", contains: "padding"}, padding: {left: 4, right: 8, top: 4, bottom: 4}, layer,
  };
}

export function rates(options) {
  const x = {type: "quantitative", scale: {domain: [0, options.top ?? niceTop(options.rows)], nice: false},
    axis: {title: options.title, labelExpr: "datum.label + '%'", tickCount: 6, labelFlush: false}};
  return dots({...options, x});
}

function span(rows, least) {
  const all = rows.flatMap((r) => [r.value, r.low, r.high]).filter(isNumber);
  const low = Math.min(-least, ...all);
  const high = Math.max(least, ...all);
  const margin = (high - low) * 0.04;
  return [low - margin, high + margin];
}

const zeroLine = (at, x) => ({data: {values: [{at}]}, mark: {type: "rule", strokeDash: [4, 3], color: colours().soft}, encoding: {x: {...x, field: "at"}}});

export function differences(options) {
  const x = {type: "quantitative", scale: {domain: span(options.rows, 1), nice: false},
    axis: {title: options.title, labelExpr: "datum.value > 0 ? '+' + datum.label : datum.label", tickCount: 7}};
  return dots({...options, x, behind: [zeroLine(0, x)], text: true});
}

export function oddsRatios(options) {
  const all = options.rows.flatMap((r) => [r.value, r.low, r.high]).filter((v) => isNumber(v) && v > 0);
  const low = Math.max(1 / 1000, Math.min(0.5, ...all) / 1.1);
  const high = Math.min(1000, Math.max(2, ...all) * 1.1);
  const values = [0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 100, 1000].filter((v) => v >= low && v <= high);
  const x = {type: "quantitative", scale: {type: "log", domain: [low, high], nice: false, clamp: true}, axis: {title: options.title, values, format: "~g"}};
  return dots({...options, x, behind: [zeroLine(1, x)], text: true});
}

/** rows: {x, y, value 0..top or null, text, tip}. */
export function heat({rows, width, xs, ys, xTitle, yTitle, top = 100, tall = 30}) {
  const c = colours();
  const narrow = width < 520;
  const cell = (width - labelLimit(width) / 1.6) / xs.length;
  const longest = Math.max(...xs.map((x) => String(x).length)) * 7;
  const isTilted = longest > cell;
  const inks = rows.map((r) => ({...r, ink: isNumber(r.value) && r.value / top > 0.55 ? (isDark() ? "#14171a" : "#ffffff") : c.ink}));
  const x = {field: "x", type: "nominal", sort: null, scale: {domain: xs, paddingInner: 0.03}, axis: {title: xTitle ?? null, orient: "top", labelAngle: isTilted ? -50 : 0, labelLimit: isTilted ? 120 : cell, domain: false, ticks: false, labelPadding: 6}};
  const y = {field: "y", type: "nominal", sort: null, scale: {domain: ys, paddingInner: 0.06}, axis: {title: yTitle ?? null, labelLimit: labelLimit(width)}};
  return {
    data: {values: inks}, width, height: ys.length * tall, autosize: {type: "fit-x", contains: "padding"}, padding: {left: 4, right: isTilted ? 24 : 4, top: 4, bottom: 4},
    layer: [
      {mark: {type: "rect", cornerRadius: 2}, encoding: {x, y, color: {field: "value", type: "quantitative", scale: {domain: [0, top], range: [c.low, c.high], interpolate: "rgb"}, legend: null}, tooltip: {field: "tip"}}},
      {mark: {type: "text", fontSize: narrow ? 11 : 12.5}, encoding: {x, y, text: {field: "text"}, color: {field: "ink", type: "nominal", scale: null}, tooltip: {field: "tip"}}},
    ],
    resolve: {scale: {color: "independent"}},
  };
}

/** rows: {series, shape, x, y, x_low, x_high, y_low, y_high, tip}; the good corner is at the lower right. */
export function plane({rows, width, shapesTitle, seriesTitle, xTitle, yTitle}) {
  const c = colours();
  const names = unique(rows.map((r) => r.series));
  const shapes = unique(rows.map((r) => r.shape));
  const percent = (title, orient) => ({title, labelExpr: "datum.label + '%'", tickCount: 6, grid: true, labelFlush: false, orient});
  const scale = {domain: [0, 100], nice: false};
  const x = {type: "quantitative", scale, axis: percent(xTitle, "bottom")};
  const y = {type: "quantitative", scale, axis: percent(yTitle, "left")};
  const {color} = seriesEncoding(names, seriesTitle, width);
  if (color.legend) Object.assign(color.legend, {symbolType: "circle", symbolStrokeWidth: 0});
  const shape = {field: "shape", type: "nominal", scale: {domain: shapes, range: shapes.map((_, i) => SHAPES[i % SHAPES.length])},
    legend: shapes.length > 1 ? {title: shapesTitle, columns: legendColumns(shapes, width), symbolFillColor: c.soft, symbolStrokeColor: c.soft, orient: width < 620 ? "bottom" : "top"} : null};
  const complete = rows.filter((r) => isNumber(r.x_low) && isNumber(r.y_low));
  const side = Math.min(width, 760);
  return {
    width: side, height: Math.round(Math.min(440, side * 0.75)), autosize: {type: "fit-x", contains: "padding"},
    layer: [
      {data: {values: [{x: 80, x2: 100, y: 0, y2: 20}]}, mark: {type: "rect", color: c.good, opacity: 0.13},
        encoding: {x: {...x, field: "x"}, x2: {field: "x2"}, y: {...y, field: "y"}, y2: {field: "y2"}}},
      {data: {values: [{x: 99, y: 2, text: "good corner"}]},
        mark: {type: "text", align: "right", baseline: "bottom", color: c.good, fontWeight: 600},
        encoding: {x: {...x, field: "x"}, y: {...y, field: "y"}, text: {field: "text"}}},
      {data: {values: complete}, mark: {type: "rule", strokeWidth: 1.5, opacity: 0.6}, encoding: {x: {...x, field: "x_low"}, x2: {field: "x_high"}, y: {...y, field: "y"}, color}},
      {data: {values: complete}, mark: {type: "rule", strokeWidth: 1.5, opacity: 0.6}, encoding: {y: {...y, field: "y_low"}, y2: {field: "y_high"}, x: {...x, field: "x"}, color}},
      {data: {values: rows}, mark: {type: "point", filled: true, size: 130, opacity: 1}, encoding: {x: {...x, field: "x"}, y: {...y, field: "y"}, color, shape, tooltip: {field: "tip"}}},
    ],
    resolve: {scale: {color: "shared", shape: "shared"}},
  };
}
