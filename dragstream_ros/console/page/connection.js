// The WebSocket to the console: heals itself, unpacks pictures, and says when one was taken.

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 5000;
const USED_MS = 2000;  // between two words that a hand is on the page

// onPicture(header, bitmaps, jpegs), onWords(message), onLink('open' | 'lost').
export class Connection {
  constructor({onPicture, onWords, onLink}) {
    this.onPicture = onPicture;
    this.onWords = onWords;
    this.onLink = onLink;
    this.waitMs = FIRST_WAIT_MS;
    this.asked = new Map();
    this.count = 0;
    this.decoding = {camera: Promise.resolve(), prediction: Promise.resolve()};
    this.saidMs = 0;
    document.addEventListener('visibilitychange', () => this.sayWhetherSeen());
    for (const kind of ['pointermove', 'pointerdown', 'keydown', 'wheel']) {
      addEventListener(kind, () => this.used(), {passive: true});
    }
    this.open();
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  // False if it cannot be sent now; nothing is kept for later, since it would be old by then.
  send(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
    return this.isOpen;
  }

  // Resolves with the answer of the same number; never, if the connection is lost before.
  ask(message) {
    const number = ++this.count;
    this.send({...message, number});
    return new Promise((resolve) => this.asked.set(number, resolve));
  }

  open() {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(`${scheme}//${location.host}/socket`);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.waitMs = FIRST_WAIT_MS;
      this.onLink('open');
      this.sayWhetherSeen();
    };
    socket.onmessage = ({data}) => {
      if (typeof data === 'string') this.take(JSON.parse(data));
      else this.unpack(data, socket);
    };
    socket.onclose = () => {
      this.asked.clear();
      this.onLink('lost');
      // A little at random, so that many pages do not come back all at once.
      setTimeout(() => this.open(), this.waitMs * (0.8 + 0.4 * Math.random()));
      this.waitMs = Math.min(this.waitMs * 2, LONGEST_WAIT_MS);
    };
  }

  take(message) {
    const resolve = this.asked.get(message.number);
    if (message.type !== 'region' || !resolve) {
      this.onWords(message);
      return;
    }
    this.asked.delete(message.number);
    resolve(message);
  }

  // Where no hand is on any page, the console sends fewer pictures.
  used() {
    if (performance.now() - this.saidMs > USED_MS) this.sayWhetherSeen();
  }

  sayWhetherSeen() {
    this.saidMs = performance.now();
    this.send({type: 'looking', is_seen: document.visibilityState === 'visible'});
  }

  // Four bytes of length, a JSON header, then the JPEGs: see packets.py.
  unpack(data, socket) {
    const length = new DataView(data).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    let at = 4 + length;
    const jpegs = header.sizes.map((size) => {
      const jpeg = new Blob([new Uint8Array(data, at, size)], {type: 'image/jpeg'});
      at += size;
      return jpeg;
    });
    // One after the other, so that pictures never overtake each other.
    this.decoding[header.stream] = this.decoding[header.stream].then(async () => {
      try {
        const bitmaps = await Promise.all(jpegs.map((jpeg) => createImageBitmap(jpeg)));
        this.onPicture(header, bitmaps, jpegs);
      } catch (error) {
        console.warn('A picture could not be shown:', error);
      }
      if (socket === this.socket) this.send({type: 'taken', stream: header.stream});
    });
  }
}
