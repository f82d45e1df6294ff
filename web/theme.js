// Light and dark: the system's, or what was chosen here.

import {recall, remember} from "./memory.js";

const KEY = "aor-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];
let printing = false;
let chosen = null;

export const isDark = () => !printing && (chosen ?? (dark.matches ? "dark" : "light")) === "dark";
export const onTheme = (listener) => listeners.push(listener);

function apply() {
  const name = isDark() ? "dark" : "light";
  document.documentElement.dataset.theme = name;
  const button = document.getElementById("theme");
  button.textContent = name === "dark" ? "☀" : "☾";
  button.title = name === "dark" ? "Light" : "Dark";
  for (const listener of listeners) listener();
}

export function startTheme() {
  chosen = recall(KEY);
  document.getElementById("theme").addEventListener("click", () => {
    chosen = isDark() ? "light" : "dark";
    remember(KEY, chosen);
    apply();
  });
  dark.addEventListener("change", apply);
  addEventListener("beforeprint", () => {
    printing = true;
    apply();
  });
  addEventListener("afterprint", () => {
    printing = false;
    apply();
  });
  apply();
}

// Okabe and Ito's colours; on dark ground the lighter ones come first.
const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#b0568a", "#8a6d00", "#3a9bd6", "#444444", "#7a4fa3"];
const DARK = ["#56b4e9", "#f0883e", "#2fc49a", "#e08fc0", "#e6c229", "#8ec7ff", "#c8c8c8", "#b89be0"];
export const SHAPES = ["circle", "diamond", "square", "triangle-up", "cross", "triangle-down", "triangle-right", "triangle-left"];

export function colours() {
  return isDark()
    ? {ground: "#16191d", ink: "#e6e8eb", soft: "#a3abb5", line: "#333a43", series: DARK, good: "#2fc49a", low: "#1d2630", high: "#f0883e"}
    : {ground: "#ffffff", ink: "#1b1f24", soft: "#59636e", line: "#dfe3e8", series: LIGHT, good: "#00795a", low: "#f6f7f9", high: "#c44e00"};
}

export function vegaConfig() {
  const c = colours();
  const font = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
  return {
    background: c.ground,
    font,
    view: {stroke: null},
    axis: {
      labelColor: c.ink, titleColor: c.soft, domainColor: c.line, tickColor: c.line, gridColor: c.line,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelFont: font, titleFont: font,
    },
    axisY: {domain: false, ticks: false, labelPadding: 8, grid: false},
    legend: {labelColor: c.ink, titleColor: c.soft, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", orient: "top", labelLimit: 260, symbolStrokeWidth: 2},
    title: {color: c.ink, fontSize: 13, fontWeight: 600, anchor: "start"},
    text: {color: c.ink, font, fontSize: 12},
    range: {category: c.series},
  };
}
