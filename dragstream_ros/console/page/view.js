// A canvas that shows one picture, as large as it can, with whatever is drawn over it.

import {contentRect, toPicture} from './pixels.js';

export class View {
  // drawOver(context, rect, deviceScale) comes on top of every picture.
  constructor(canvas, drawOver = () => {}) {
    this.canvas = canvas;
    this.drawOver = drawOver;
    this.context = canvas.getContext('2d');
    this.picture = null;  // {width, height}: the size its pixels refer to
    this.bitmap = null;
    this.isStale = true;
    new ResizeObserver((entries) => this.resize(entries[0])).observe(canvas);
  }

  // bitmap may have another size than the picture it shows.
  show(bitmap, picture) {
    const aspect = picture.width / picture.height;
    if (this.picture === null || aspect !== this.picture.width / this.picture.height) {
      this.canvas.closest('figure').style.setProperty('--aspect', aspect);
    }
    this.bitmap = bitmap;
    this.picture = picture;
    this.isStale = true;
  }

  // Draws if something has changed.
  draw() {
    if (!this.isStale || !this.bitmap) return;
    this.isStale = false;
    const {canvas, context} = this;
    const rect = contentRect(canvas, this.picture);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(this.bitmap, rect.left, rect.top, rect.width, rect.height);
    context.save();
    context.beginPath();
    context.rect(rect.left, rect.top, rect.width, rect.height);
    context.clip();
    this.drawOver(context, rect, canvas.width / Math.max(canvas.clientWidth, 1));
    context.restore();
  }

  // Where a pointer is, in pixels of the picture. The box is measured as the pointer is, so that
  // zoom, scrolling and the density of the screen cancel out.
  pixelAt(event) {
    const box = this.canvas.getBoundingClientRect();
    return toPicture([event.clientX - box.left, event.clientY - box.top],
      contentRect(box, this.picture));
  }

  // How many pixels of the picture a CSS pixel is.
  get pixelsPerCss() {
    return 1 / contentRect(this.canvas.getBoundingClientRect(), this.picture).scale;
  }

  resize(entry) {
    const size = entry.devicePixelContentBoxSize?.[0];
    const ratio = window.devicePixelRatio;
    this.canvas.width = size?.inlineSize ?? Math.round(entry.contentRect.width * ratio);
    this.canvas.height = size?.blockSize ?? Math.round(entry.contentRect.height * ratio);
    this.isStale = true;  // a canvas is empty once it has another size
    this.draw();
  }
}
