// What is drawn over the pictures. All positions are pixels of the picture; lines are as wide on
// every screen, with a dark edge so that they stand out on any picture.

import {toBox} from './pixels.js';

const HANDLE = '#ffc94d';
const EDGE = 'rgba(0, 0, 0, 0.75)';
const FILL = 'rgba(255, 201, 77, 0.28)';
const TRACK = '#d9c2ff';

export function drawGestures(context, rect, scale, gestures) {
  const pen = new Pen(context, rect, scale);
  for (const {path, centre, found} of gestures.drag?.handles ?? []) {
    pen.area(found);
    if (centre) pen.line([centre, path.at(-1)], [4, 4]);
    pen.line(path);
    pen.ring(path[0], 6);
    if (path.length > 1) pen.dot(path.at(-1), 7);
  }
  for (const {does, points} of gestures.pointers.values()) {
    if (does === 'box' && points.length > 1) pen.box(...points);
    if (does === 'brush') pen.stroke(points, gestures.brushPx);
  }
  if (gestures.centre) pen.plus(gestures.centre, 9);
  if (gestures.cross) pen.plus(gestures.cross, 14, 4);
}

// Where each handle was asked to be in the frame that is shown.
export function drawPositions(context, rect, scale, positions) {
  const pen = new Pen(context, rect, scale, TRACK);
  for (const position of positions) pen.ring(position, 7);
}

// A prediction must not be taken for the camera, not even in a corner of the eye.
export function drawWatermark(context, rect, scale) {
  const size = Math.max(rect.width / 11, 13 * scale);
  context.save();
  context.translate(rect.left + rect.width / 2, rect.top + rect.height / 2);
  context.rotate(-Math.PI / 7);
  context.font = `700 ${size}px system-ui, sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineWidth = size / 12;
  context.strokeStyle = 'rgba(0, 0, 0, 0.22)';
  context.fillStyle = 'rgba(255, 255, 255, 0.30)';
  const spacing = rect.height / 2.4;
  for (let row = -2; row <= 2; row++) {
    context.strokeText('PREDICTION', 0, row * spacing);
    context.fillText('PREDICTION', 0, row * spacing);
  }
  context.restore();
}

// Doubt greys the picture: nothing at full confidence, half at none.
export function drawDoubt(context, rect, confidence) {
  context.fillStyle = `rgba(90, 90, 96, ${0.5 * Math.min(Math.max(1 - confidence, 0), 1)})`;
  context.fillRect(rect.left, rect.top, rect.width, rect.height);
}

class Pen {
  constructor(context, rect, scale, colour = HANDLE) {
    Object.assign(this, {context, rect, scale, colour});
    context.lineJoin = context.lineCap = 'round';
  }

  at(point) {
    return toBox(point, this.rect);
  }

  trace(points) {
    this.context.beginPath();
    for (const point of points) this.context.lineTo(...this.at(point));
  }

  draw(width = 2.5) {
    const {context, scale} = this;
    context.strokeStyle = EDGE;
    context.lineWidth = (width + 2.5) * scale;
    context.stroke();
    context.strokeStyle = this.colour;
    context.lineWidth = width * scale;
    context.stroke();
  }

  line(points, dashes = []) {
    if (points.length < 2) return;
    this.trace(points);
    this.context.setLineDash(dashes.map((length) => length * this.scale));
    this.draw();
    this.context.setLineDash([]);
  }

  area(corners) {
    if (corners.length < 3) return;
    this.trace(corners);
    this.context.closePath();
    this.context.fillStyle = FILL;
    this.context.fill();
    this.draw(1.5);
  }

  box([left, top], [right, bottom]) {
    this.area([[left, top], [right, top], [right, bottom], [left, bottom]]);
  }

  stroke(points, radiusPx) {
    const {context} = this;
    this.trace(points.length > 1 ? points : [points[0], points[0]]);
    context.strokeStyle = FILL;
    context.lineWidth = 2 * radiusPx * this.rect.scale;
    context.stroke();
  }

  circle(point, radius) {
    this.context.beginPath();
    this.context.arc(...this.at(point), radius * this.scale, 0, 2 * Math.PI);
  }

  ring(point, radius) {
    this.circle(point, radius);
    this.draw();
  }

  dot(point, radius) {
    this.circle(point, radius);
    this.context.fillStyle = this.colour;
    this.context.fill();
    this.context.strokeStyle = EDGE;
    this.context.lineWidth = 1.5 * this.scale;
    this.context.stroke();
  }

  // A cross, open in the middle.
  plus(point, reach, gap = 0) {
    const [x, y] = this.at(point);
    const {context, scale} = this;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * gap * scale, y + dy * gap * scale);
      context.lineTo(x + dx * reach * scale, y + dy * reach * scale);
    }
    this.draw();
  }
}
