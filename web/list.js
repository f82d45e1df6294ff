// A list of which only the rows in sight are in the document.

import {h} from "./text.js";

const SPARE = 6;

export class VirtualList {
  /** fill(row, index) writes item index into the element row; open(index) is Enter or a click. */
  constructor({label, height, fill, open}) {
    Object.assign(this, {height, fill, open, size: 0, active: -1, rows: []});
    this.space = h("div", {class: "space", role: "presentation"});
    this.element = h("div", {class: "list", id: "samples", role: "listbox", tabindex: 0, "aria-label": label}, this.space);
    this.element.addEventListener("scroll", () => this.draw(), {passive: true});
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (!row) return;
      this.select(Number(row.dataset.index));
      this.open(this.active);
    });
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  show(size) {
    this.size = size;
    this.active = Math.min(this.active, size - 1);
    this.space.style.height = `${size * this.height}px`;
    this.draw(true);
  }

  select(index) {
    this.active = Math.max(0, Math.min(index, this.size - 1));
    const top = this.active * this.height;
    const {scrollTop, clientHeight} = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.element.scrollTop = top + this.height - clientHeight;
    this.draw();
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 1);
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.size, End: this.size};
    if (event.key in steps && this.size) {
      event.preventDefault();
      this.select(this.active < 0 ? 0 : this.active + steps[event.key]);
    } else if (event.key === "Enter" && this.active >= 0) {
      event.preventDefault();
      this.open(this.active);
    }
  }

  draw(isNew = false) {
    const first = Math.max(0, Math.floor(this.element.scrollTop / this.height) - SPARE);
    const last = Math.min(this.size, Math.ceil((this.element.scrollTop + this.element.clientHeight) / this.height) + SPARE);
    const wanted = Math.max(0, last - first);
    while (this.rows.length < wanted) {
      const row = h("div", {class: "row", role: "option"});
      row.style.height = `${this.height}px`;
      this.rows.push(row);
      this.space.append(row);
    }
    while (this.rows.length > wanted) this.rows.pop().remove();
    // Each item keeps the element index % wanted, so that scrolling refills only what came into sight.
    for (let index = first; index < last; index++) {
      const row = this.rows[index % wanted];
      if (isNew || row.dataset.index !== String(index)) {
        row.dataset.index = index;
        row.id = `row-${index}`;
        row.style.transform = `translateY(${index * this.height}px)`;
        row.setAttribute("aria-setsize", this.size);
        row.setAttribute("aria-posinset", index + 1);
        this.fill(row, index);
      }
      row.setAttribute("aria-selected", index === this.active);
    }
    if (this.active >= first && this.active < last) this.element.setAttribute("aria-activedescendant", `row-${this.active}`);
    else this.element.removeAttribute("aria-activedescendant");
  }
}
