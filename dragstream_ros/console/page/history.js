// The camera's last seconds, kept as JPEGs, to be laid beside what was predicted.

const KEPT_SECS = 4;
const NEAR_NS = 100_000_000n;

export class History {
  constructor() {
    this.pictures = [];  // {stamp, jpeg}, oldest first; stamps are BigInt nanoseconds
  }

  add(stampText, jpeg) {
    const stamp = BigInt(stampText);
    const newest = this.pictures.at(-1);
    if (newest && stamp <= newest.stamp) this.pictures = [];  // time has jumped back
    this.pictures.push({stamp, jpeg});
    const oldest = stamp - BigInt(KEPT_SECS) * 1_000_000_000n;
    while (this.pictures[0].stamp < oldest) this.pictures.shift();
  }

  // How many seconds are missing until a prediction's horizon has come.
  secsUntil(prediction) {
    const newest = this.pictures.at(-1);
    if (!newest) return Infinity;
    return Number(momentOf(prediction, prediction.frames.at(-1).secs) - newest.stamp) / 1e9;
  }

  // What the camera saw at the moment of each predicted frame: bitmaps, null where nothing is kept.
  async beside(prediction) {
    return Promise.all(prediction.frames.map(async ({secs}) => {
      const moment = momentOf(prediction, secs);
      let best = null;
      for (const picture of this.pictures) {
        if (!best || apart(picture.stamp, moment) < apart(best.stamp, moment)) best = picture;
      }
      if (!best || apart(best.stamp, moment) > NEAR_NS) return null;
      return createImageBitmap(best.jpeg);
    }));
  }
}

function momentOf(prediction, secs) {
  return BigInt(prediction.stamp) + BigInt(Math.round(secs * 1e9));
}

function apart(a, b) {
  return a > b ? a - b : b - a;
}
