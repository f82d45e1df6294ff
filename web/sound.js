// The player: one sound at a time, with its waveform and spectrogram.

import {loadSound} from "./data.js";
import {preparePicture} from "./spectrum.js";
import {download, h, visible} from "./text.js";
import {colours, onTheme} from "./theme.js";

const RATE = 16000;
const seconds = (t) => (Number.isFinite(t) ? `${t.toFixed(1)} s` : "");

export class Player {
  constructor(conditions, isLive) {
    this.isLive = isLive;
    this.audio = h("audio", {id: "player", preload: "auto"});
    this.button = h("button", {type: "button", id: "play", "aria-keyshortcuts": "Space", disabled: true}, "▶ Play");
    this.time = h("span", {class: "time", role: "timer", "aria-live": "off"});
    this.canvas = h("canvas", {id: "spectrogram", role: "img", "aria-label": "Waveform and spectrogram, frequency in kHz over seconds"});
    this.note = h("p", {class: "note", hidden: true});
    this.save = h("button", {type: "button", disabled: true}, "Download FLAC");
    this.choice = h("select", {"aria-label": "Condition of the sound"}, conditions.map((c) => h("option", {value: c}, c)));
    this.choice.hidden = conditions.length < 2;
    this.element = h("div", {class: "player"}, h("div", {class: "controls"}, this.button, this.choice, this.time, this.save), this.audio, this.canvas, this.note);
    this.button.addEventListener("click", () => this.toggle());
    this.choice.addEventListener("change", () => this.load(this.sample));
    this.save.addEventListener("click", () => download(`${this.sample}-${this.choice.value}.flac`, "audio/flac", this.bytes));
    this.canvas.addEventListener("click", (event) => {
      if (!this.picture) return;
      this.audio.currentTime = this.picture.timeAt(event.offsetX, this.canvas.clientWidth);
      this.draw();
    });
    for (const name of ["play", "pause", "ended"]) this.audio.addEventListener(name, () => this.follow());
    this.audio.addEventListener("seeked", () => this.draw());
    this.audio.addEventListener("loadedmetadata", () => this.draw());
    onTheme(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  async load(sample) {
    this.release();
    this.sample = sample;
    const condition = this.choice.value;
    this.element.dataset.state = "loading";
    try {
      const bytes = await loadSound(condition, sample, this.isLive);
      if (this.sample !== sample || this.choice.value !== condition) return;
      this.bytes = bytes;
      this.address = URL.createObjectURL(new Blob([bytes], {type: "audio/flac"}));
      this.audio.src = this.address;
      this.button.disabled = this.save.disabled = false;
      const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes.slice().buffer);
      if (this.sample !== sample || this.choice.value !== condition) return;
      this.picture = preparePicture(decoded.getChannelData(0), RATE);
      this.canvas.hidden = false;
      this.draw();
      this.element.dataset.state = "ready";
    } catch (error) {
      if (this.sample !== sample) return;
      this.element.dataset.state = "missing";
      this.canvas.hidden = true;
      this.note.hidden = false;
      this.note.textContent = `No sound here: ${visible(error.message)}`;
    }
  }

  release() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = this.picture = this.bytes = null;
    this.sample = null;
    this.button.disabled = this.save.disabled = true;
    this.note.hidden = true;
    this.time.textContent = "";
  }

  toggle() {
    if (this.button.disabled) return;
    if (this.audio.paused) this.audio.play().catch((error) => (this.time.textContent = visible(error.message)));
    else this.audio.pause();
  }

  follow() {
    this.button.textContent = this.audio.paused ? "▶ Play" : "‖ Pause";
    const step = () => {
      this.draw();
      if (!this.audio.paused) requestAnimationFrame(step);
    };
    step();
  }

  draw() {
    const {currentTime, duration} = this.audio;
    this.time.textContent = Number.isFinite(duration) ? `${currentTime.toFixed(1)} / ${seconds(duration)}` : "";
    this.picture?.draw(this.canvas, colours(), currentTime);
  }
}
