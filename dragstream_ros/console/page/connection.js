// The WebSocket to the console: heals itself, unpacks pictures, and says when one was taken.

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 5000;
const PATIENCE_MS = 10000;  // the console sends a word at least this often, or it is gone
const LATE_MS = 12000;

// onPicture(header, bitmaps, jpegs), onWords(message), onLink('open' | 'lost').
export class Connection {
  constructor({onPicture, onWords, onLink}) {
    this.onPicture = onPicture;
    this.onWords = onWords;
    this.onLink = onLink;
    this.waitMs = FIRST_WAIT_MS;
    this.decoding = {camera: Promise.resolve(), prediction: Promise.resolve()};
    document.addEventListener('visibilitychange', () => this.sayWhetherSeen());
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
      if (typeof data === 'string') this.onWords(JSON.parse(data));
      else this.unpack(data, socket);
    };
    socket.onclose = () => {
      this.onLink('lost');
      // A little at random, so that many pages do not come back all at once.
      setTimeout(() => this.open(), this.waitMs * (0.8 + 0.4 * Math.random()));
      this.waitMs = Math.min(this.waitMs * 2, LONGEST_WAIT_MS);
    };
  }

  sayWhetherSeen() {
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
