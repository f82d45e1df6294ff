// Short-time spectra of a sound, and pictures of it.

const WINDOW = 512;
const HOP = 128;
const FLOOR_DB = -80;
const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];

function viridisTable() {
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (VIRIDIS.length - 1);
    const k = Math.min(VIRIDIS.length - 2, Math.floor(at));
    for (let c = 0; c < 3; c++) table[3 * i + c] = Math.round(VIRIDIS[k][c] + (at - k) * (VIRIDIS[k + 1][c] - VIRIDIS[k][c]));
  }
  return table;
}

const COLOURS = viridisTable();
const hann = Float64Array.from({length: WINDOW}, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW));
const cosines = Float64Array.from({length: WINDOW / 2}, (_, i) => Math.cos((2 * Math.PI * i) / WINDOW));
const sines = Float64Array.from({length: WINDOW / 2}, (_, i) => Math.sin((2 * Math.PI * i) / WINDOW));

/** Radix-2 Fourier transform in place. */
export function transform(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let size = 2; size <= n; size <<= 1) {
    const half = size >> 1;
    const step = WINDOW / size;
    for (let start = 0; start < n; start += size) {
      for (let k = 0; k < half; k++) {
        const wr = cosines[k * step];
        const wi = -sines[k * step];
        const a = start + k;
        const b = a + half;
        const tr = re[b] * wr - im[b] * wi;
        const ti = re[b] * wi + im[b] * wr;
        re[b] = re[a] - tr;
        im[b] = im[a] - ti;
        re[a] += tr;
        im[a] += ti;
      }
    }
  }
}

/** Levels in dB under the loudest, [frame * bins + bin]. */
export function spectrogram(pcm) {
  const bins = WINDOW / 2;
  const frames = Math.max(1, Math.floor((pcm.length - WINDOW) / HOP) + 1);
  const levels = new Float32Array(frames * bins);
  const re = new Float64Array(WINDOW);
  const im = new Float64Array(WINDOW);
  let top = -Infinity;
  for (let f = 0; f < frames; f++) {
    for (let i = 0; i < WINDOW; i++) re[i] = (pcm[f * HOP + i] ?? 0) * hann[i];
    im.fill(0);
    transform(re, im);
    for (let b = 0; b < bins; b++) {
      const level = 10 * Math.log10(re[b] * re[b] + im[b] * im[b] + 1e-12);
      levels[f * bins + b] = level;
      if (level > top) top = level;
    }
  }
  for (let i = 0; i < levels.length; i++) levels[i] -= top;
  return {levels, frames, bins};
}

function picture({levels, frames, bins}) {
  const canvas = new OffscreenCanvas(frames, bins);
  const context = canvas.getContext("2d");
  const image = context.createImageData(frames, bins);
  for (let f = 0; f < frames; f++) {
    for (let b = 0; b < bins; b++) {
      const value = Math.max(0, Math.min(255, Math.round(255 * (1 - levels[f * bins + b] / FLOOR_DB))));
      const at = 4 * ((bins - 1 - b) * frames + f);
      image.data[at] = COLOURS[3 * value];
      image.data[at + 1] = COLOURS[3 * value + 1];
      image.data[at + 2] = COLOURS[3 * value + 2];
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Prepares drawing of a sound into a canvas; the result draws it, with a line where the player is. */
export function preparePicture(pcm, rate) {
  const spectrum = picture(spectrogram(pcm));
  const loudest = pcm.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-4);
  const duration = pcm.length / rate;
  const left = 40;
  return {
    left,
    draw(canvas, colours, at) {
      const scale = devicePixelRatio || 1;
      const [width, height] = [canvas.clientWidth, canvas.clientHeight];
      if (!width) return;
      if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
      if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
      const g = canvas.getContext("2d");
      g.setTransform(scale, 0, 0, scale, 0, 0);
      g.fillStyle = colours.ground;
      g.fillRect(0, 0, width, height);
      const waveHeight = Math.round(height * 0.26);
      const top = waveHeight + 6;
      const bottom = height - 20;
      const inner = width - left - 4;
      g.fillStyle = colours.series[0];
      for (let x = 0; x < inner; x++) {
        let peak = 0;
        const end = Math.floor(((x + 1) * pcm.length) / inner);
        for (let i = Math.floor((x * pcm.length) / inner); i < end; i++) peak = Math.max(peak, Math.abs(pcm[i]));
        const tall = Math.max(1, (peak / loudest) * waveHeight);
        g.fillRect(left + x, (waveHeight - tall) / 2, 1, tall);
      }
      g.drawImage(spectrum, left, top, inner, bottom - top);
      g.fillStyle = colours.soft;
      g.font = "11px system-ui, sans-serif";
      g.textAlign = "right";
      g.textBaseline = "middle";
      const nyquist = rate / 2000;
      for (let khz = 0; khz <= nyquist; khz += 2) g.fillText(khz === 0 ? "0 kHz" : String(khz), left - 5, Math.max(top + 5, Math.min(bottom - 5, bottom - (khz / nyquist) * (bottom - top))));
      g.textBaseline = "top";
      g.textAlign = "center";
      const step = [0.5, 1, 2, 5, 10, 30].find((s) => (duration / s) * 50 < inner) ?? 60;
      for (let t = 0; t <= duration; t += step) g.fillText(`${t} s`, Math.max(left + 8, Math.min(width - 14, left + (t / duration) * inner)), bottom + 5);
      if (at > 0) {
        g.fillStyle = colours.series[1];
        g.fillRect(left + (at / duration) * inner - 1, 0, 2, bottom);
      }
    },
    timeAt: (x, width) => Math.max(0, Math.min(duration, ((x - left) / (width - left - 4)) * duration)),
  };
}
