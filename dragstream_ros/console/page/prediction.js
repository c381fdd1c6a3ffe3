// The predictions that have come, and a playhead that goes through their horizon.
//
// The playhead and the newest prediction are apart: at any time the newest frame there is for the
// playhead's place is shown. So a new prediction, twice a second, never makes it jump.

const REST_SECS = 0.5;  // on the last frame, before it begins again

export class Prediction {
  constructor() {
    this.newest = null;
    this.before = null;
    this.kept = null;
    this.isPlaying = true;
    this.secs = 0;
  }

  // Takes a chunk; its header is that of pictures.py. True if it shows another drag than before.
  add(header, bitmaps) {
    const chunk = header.offsets_secs.map((secs, n) => ({
      secs, bitmap: bitmaps[n], confidence: header.confidence[n], chunk: header.chunk,
      positions: header.tracks.map((track) => track[n]),
    }));
    const key = `${header.epoch} ${header.anchor}`;
    const dragId = header.drag_id;
    const isAnother = this.newest !== null && this.newest.dragId !== dragId;
    if (this.newest?.key === key) {
      const earlier = this.newest.frames.filter((frame) => frame.chunk < header.chunk);
      this.newest = {...this.newest, frames: [...earlier, ...chunk]};
    } else {
      this.before = this.newest;
      this.newest = {
        key, frames: chunk, stamp: header.stamp_ns,
        picture: {width: header.width, height: header.height},
      };
    }
    Object.assign(this.newest, {dragId, isComplete: header.is_last});
    if (isAnother && this.isPlaying && !this.kept) this.secs = chunk[0].secs;
    return isAnother;
  }

  clear() {
    this.newest = this.before = this.kept = null;
  }

  // The newest one that reaches its horizon.
  get complete() {
    if (this.newest?.isComplete) return this.newest;
    return this.before?.isComplete ? this.before : this.newest;
  }

  get horizonSecs() {
    return (this.kept ?? this.complete)?.frames.at(-1).secs ?? 1;
  }

  keep(prediction = this.complete) {
    this.kept = prediction;
  }

  // Time goes by.
  advance(secs) {
    if (!this.isPlaying) return;
    this.secs += secs;
    if (this.secs > this.horizonSecs + REST_SECS) this.secs = 0;
  }

  // {prediction, frame} to show now; null: there is none.
  get shown() {
    for (const prediction of this.kept ? [this.kept] : [this.newest, this.before]) {
      if (!prediction) continue;
      const {frames, isComplete} = prediction;
      if (this.secs > frames.at(-1).secs && !isComplete && this.before && !this.kept &&
          prediction === this.newest) continue;
      const next = frames.findIndex((frame) => frame.secs > this.secs + 1e-3);
      const index = next < 0 ? frames.length - 1 : Math.max(next - 1, 0);
      return {prediction, frame: frames[index]};
    }
    return null;
  }
}
