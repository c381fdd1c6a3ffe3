// What is said on the page, in plain words.

export const HINTS = {
  animate: {
    touch: 'Press on something in the camera picture and drag it.',
    box: 'Draw a box around something, then drag it.',
    brush: 'Paint over something, then drag it.',
  },
  edit: {
    touch: 'Press on something in the predicted picture and drag it: the end of the prediction is redone.',
    box: 'Draw a box in the predicted picture, then drag it.',
    brush: 'Paint over something in the predicted picture, then drag it.',
  },
};

export const AGAIN = 'The predictor was too busy for the picture that you dragged on; ' +
  'the same drag is made on the newest one.';

export function hint({mode, motion, several}, grab, {drag, regionHandle, centre}) {
  if (motion === 'turn' && !centre) return 'Press where it shall turn about. Then press beside it and drag around.';
  if (regionHandle?.outline.length) return 'Now press inside what is marked and drag it.';
  if (drag && several) return 'Drag more things if you like, then press Release.';
  if (drag) return 'Let go to end the drag; Escape takes it back.';
  if (motion === 'turn') return 'Press on something and drag around the centre. The centre can be moved.';
  return HINTS[mode][grab];
}

export function turn(you, holder, operators) {
  if (holder && holder !== you) {
    return `${capital(holder)} is dragging. You can drag a few seconds after they let go.`;
  }
  if (operators.length < 2) return '';
  return `You are ${you}, one of ${operators.length}. ${holder ? 'You have the turn.' : 'Nobody is dragging.'}`;
}

export function rate(hz) {
  return hz.toFixed(0) === '1' ? '1 picture a second' : `${hz.toFixed(0)} pictures a second`;
}

export function latency(secs) {
  return `${secs.toFixed(2)} s behind the camera`;
}

export function response(secs) {
  return `first frame after ${secs.toFixed(2)} s`;
}

export function trust(confidence, drift, isLate) {
  const much = confidence > 0.6 ? 'good' : confidence > 0.35 ? 'fair' : 'low';
  return `${much} (drift ${drift.toFixed(2)})${isLate ? ', but late' : ''}`;
}

export function ahead(secs) {
  return `${secs.toFixed(1)} s ahead`;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
