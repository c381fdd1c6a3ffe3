// Where a picture lies in its box, and the way between the two.
//
// Pixels of a picture are as in the messages: x right, y down, (0, 0) is the centre of the top-left
// pixel, so a picture of width W reaches from -0.5 to W - 0.5. Box coordinates start at the box's
// top-left corner, in any unit: CSS pixels for the pointer, device pixels for drawing.

// The largest rectangle of the picture's aspect in the middle of the box; nothing is rounded.
export function contentRect(box, picture) {
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return {left: (box.width - width) / 2, top: (box.height - height) / 2, width, height, scale};
}

export function toPicture([x, y], rect) {
  return [(x - rect.left) / rect.scale - 0.5, (y - rect.top) / rect.scale - 0.5];
}

export function toBox([x, y], rect) {
  return [(x + 0.5) * rect.scale + rect.left, (y + 0.5) * rect.scale + rect.top];
}

export function clampToPicture([x, y], picture) {
  return [clamp(x, -0.5, picture.width - 0.5), clamp(y, -0.5, picture.height - 0.5)];
}

export function isInside([x, y], picture) {
  return x >= -0.5 && y >= -0.5 && x <= picture.width - 0.5 && y <= picture.height - 0.5;
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

export function distance([x, y], [u, v]) {
  return Math.hypot(x - u, y - v);
}
