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
 * series, value, low, high, tip}, in percent or points. joined: a line between a label's points.
 */
function dots({rows, width, seriesNames, seriesTitle, labels, x, behind = [], text = false, stacked = true, joined = false}) {
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
    ...(joined ? [{data: {values: rows}, mark: {type: "line", strokeWidth: 2, color: c.soft, opacity: 0.6}, encoding: {y, x: {...x, field: "value"}, detail: {field: "label", type: "nominal"}}}] : []),
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

/** Lines over numbers. rows: {series, x, value, tip}, values from -1 to 1. */
export function curves({rows, width, seriesNames, xTitle}) {
  const {color, shape} = seriesEncoding(seriesNames, null, width);
  const all = rows.map((r) => r.value);
  const xs = unique(rows.map((r) => r.x)).sort((a, b) => a - b);
  const least = Math.min(0.4, ...all);
  const x = {field: "x", type: "quantitative", scale: {domain: [xs[0], xs.at(-1)], nice: false, padding: 14}, axis: {title: xTitle, format: "d", labelFlush: false, ...(xs.length <= 16 ? {values: xs, tickMinStep: 0.5, labelOverlap: false} : {tickCount: 10})}};
  const y = {type: "quantitative", scale: {domain: [Math.floor(least * 10) / 10, 1], nice: false}, axis: {title: null, grid: true, tickCount: 6, format: ".1f"}};
  return {
    width, height: 230, autosize: {type: "fit-x", contains: "padding"}, padding: {left: 4, right: 8, top: 4, bottom: 4}, data: {values: rows},
    layer: [
      {data: {values: [{at: 0.5}]}, mark: {type: "rule", strokeDash: [4, 3], color: colours().soft}, encoding: {y: {...y, field: "at"}}},
      {mark: {type: "line", strokeWidth: 2, opacity: 0.8}, encoding: {x, y: {...y, field: "value"}, color}},
      {mark: {type: "point", filled: true, size: 70, opacity: 1}, encoding: {x, y: {...y, field: "value"}, color, shape, tooltip: {field: "tip"}}},
    ],
  };
}

const channels = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
const mix = (from, to, share) => channels(from).map((v, i) => v + share * (channels(to)[i] - v));

/** Ink or ground, whichever has more contrast on these channels. */
function inkOn(ground, c) {
  const light = (rgb) => rgb.map((v) => (v / 255 <= 0.04045 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (colour) => {
    const [a, b] = [light(channels(colour)), light(ground)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  return contrast(c.ink) >= contrast(c.ground) ? c.ink : c.ground;
}

/** A map of changes in points. rows: {x, y, value, good, text, is_chosen, tip}; good: the change, more is better; most: where colours end. */
export function changeMap({rows, width, xs, ys, most, xTitle, yTitle}) {
  const c = colours();
  const [better, worse] = [c.series[0], c.high];
  const inks = rows.map((r) => ({...r, ink: inkOn(mix(c.low, r.good < 0 ? worse : better, Math.min(1, Math.abs(r.good) / most)), c)}));
  const x = {field: "x", type: "nominal", sort: null, scale: {domain: xs, paddingInner: 0.05}, axis: {title: xTitle, orient: "top", labelAngle: 0, domain: false, ticks: false, labelPadding: 6}};
  const y = {field: "y", type: "nominal", sort: null, scale: {domain: ys, paddingInner: 0.08}, axis: {title: yTitle}};
  const color = {field: "good", type: "quantitative", scale: {domain: [-most, 0, most], range: [worse, c.low, better], interpolate: "rgb"}, legend: null};
  return {
    data: {values: inks}, width, height: ys.length * (ys.length > 16 ? 24 : 32), autosize: {type: "fit-x", contains: "padding"}, padding: {left: 4, right: 4, top: 4, bottom: 4},
    layer: [
      {mark: {type: "rect", cornerRadius: 2}, encoding: {x, y, color, tooltip: {field: "tip"}}},
      {data: {values: inks.filter((r) => r.is_chosen)}, mark: {type: "rect", cornerRadius: 2, filled: false, stroke: c.ink, strokeWidth: 2.5}, encoding: {x, y, tooltip: {field: "tip"}}},
      {mark: {type: "text", fontSize: width / xs.length < 52 ? 10.5 : 12.5}, encoding: {x, y, text: {field: "text"}, color: {field: "ink", type: "nominal", scale: null}, tooltip: {field: "tip"}}},
    ],
    resolve: {scale: {color: "independent"}},
  };
}

/** rows: {series, shape, x, y, is_chosen, tip}, changes in points of contrasts and scenarios; lines: {series, line, order, x, y}. */
export function changePlane({rows, width, lines = [], seriesNames, seriesTitle, shapesTitle}) {
  const c = colours();
  const names = seriesNames ?? unique(rows.map((r) => r.series));
  const shapes = unique(rows.map((r) => r.shape).filter(Boolean));
  const sided = (title, values) => ({type: "quantitative", scale: {domain: span(values.map((value) => ({value})), 5), nice: false},
    axis: {title, labelExpr: "datum.value > 0 ? '+' + datum.label : datum.label", tickCount: 6, grid: true}});
  const x = sided("contrasts refused, change in points", rows.map((r) => r.x));
  const y = sided("scenarios refused, change in points", rows.map((r) => r.y));
  const isNarrow = width < 620;
  const encoding = seriesEncoding(names, seriesTitle, shapes.length > 1 && !isNarrow ? width - 190 : width);
  const byShape = {field: "shape", type: "nominal", scale: {domain: shapes, range: SHAPES.slice(0, shapes.length)},
    legend: shapes.length > 1 ? {title: shapesTitle, columns: legendColumns(shapes, width), symbolFillColor: c.soft, symbolStrokeColor: c.soft, orient: isNarrow ? "bottom" : "top"} : null};
  if (shapes.length && encoding.color.legend) Object.assign(encoding.color.legend, {symbolType: "circle", symbolStrokeWidth: 0});
  const chosen = rows.filter((r) => r.is_chosen).map((r) => ({...r, name: "chosen"}));
  const at = {x: {...x, field: "x"}, y: {...y, field: "y"}};
  const isLeft = chosen.some((r) => r.x < (x.scale.domain[0] + x.scale.domain[1]) / 2);
  const dash = {type: "rule", strokeDash: [4, 3], color: c.soft};
  return {
    width: Math.min(width, 760), height: Math.round(Math.min(360, width * 0.75)), autosize: {type: "fit-x", contains: "padding"}, padding: {left: 4, right: 8, top: 4, bottom: 4},
    layer: [
      {data: {values: [{x: 0}]}, mark: dash, encoding: {x: at.x}},
      {data: {values: [{y: 0}]}, mark: dash, encoding: {y: at.y}},
      {data: {values: [{x: x.scale.domain[1], y: y.scale.domain[0], text: "good corner"}]}, mark: {type: "text", align: "right", baseline: "bottom", dx: -4, dy: -3, color: c.good, fontWeight: 600}, encoding: {...at, text: {field: "text"}}},
      {data: {values: lines}, mark: {type: "line", strokeWidth: 1.5, opacity: names.length > 1 ? 0.45 : 0.2}, encoding: {...at, order: {field: "order", type: "quantitative"}, detail: {field: "line", type: "nominal"}, color: encoding.color}},
      {data: {values: rows}, mark: {type: "point", filled: true, size: 80, opacity: 0.9}, encoding: {...at, color: encoding.color, shape: shapes.length ? byShape : encoding.shape, tooltip: {field: "tip"}}},
      {data: {values: chosen}, mark: {type: "point", shape: "circle", filled: false, size: 330, stroke: c.ink, strokeWidth: 2, opacity: 1}, encoding: {...at, tooltip: {field: "tip"}}},
      {data: {values: chosen}, mark: {type: "text", align: isLeft ? "left" : "right", dx: isLeft ? 14 : -14, fontWeight: 600, color: c.ink}, encoding: {...at, text: {field: "name"}}},
    ],
  };
}
