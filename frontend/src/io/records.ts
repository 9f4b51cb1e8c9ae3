/**
 * The frame stream, taken apart as it arrives. A record is a header of 32 bytes — instance UUID (16),
 * frame, status, payload length, stack index (each u32, little-endian) — and its payload.
 */

export const HEADER_BYTES = 32;
const MOST_PAYLOAD_BYTES = 1 << 30;

export type FrameStatus = "ok" | "missing" | "damaged" | "unsupported";

const STATUSES: readonly FrameStatus[] = ["ok", "missing", "damaged", "unsupported"];

export interface FrameRecord {
  readonly instanceId: string;
  readonly frame: number;
  readonly status: FrameStatus;
  readonly stackIndex: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

interface Header {
  readonly instanceId: string;
  readonly frame: number;
  readonly status: FrameStatus;
  readonly length: number;
  readonly stackIndex: number;
}

export class RecordParser {
  private readonly headerBytes = new Uint8Array(HEADER_BYTES);
  private header: Header | null = null;
  private payload = new Uint8Array(0);
  private filled = 0;

  /** `roomFor` gives the memory of a payload; all of it is written. */
  constructor(private readonly roomFor: (bytes: number) => ArrayBuffer = (bytes) => new ArrayBuffer(bytes)) {}

  /** Takes the next bytes of the stream and gives the records that they complete. */
  push(chunk: Uint8Array): FrameRecord[] {
    const done: FrameRecord[] = [];
    let at = 0;
    while (at < chunk.length) {
      const target = this.header === null ? this.headerBytes : this.payload;
      const take = Math.min(target.length - this.filled, chunk.length - at);
      target.set(chunk.subarray(at, at + take), this.filled);
      this.filled += take;
      at += take;
      if (this.filled === target.length) {
        this.finishPart(done);
      }
    }
    return done;
  }

  /** True between records: where a whole stream must end. */
  get isBetweenRecords(): boolean {
    return this.header === null && this.filled === 0;
  }

  private finishPart(done: FrameRecord[]): void {
    if (this.header === null) {
      this.header = readHeader(this.headerBytes);
      this.payload = new Uint8Array(this.roomFor(this.header.length));
      this.filled = 0;
      if (this.header.length > 0) {
        return;
      }
    }
    const { length: _length, ...facts } = this.header;
    done.push({ ...facts, payload: this.payload });
    this.header = null;
    this.filled = 0;
  }
}

function readHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const length = view.getUint32(24, true);
  const status = STATUSES[view.getUint32(20, true)];
  if (status === undefined || length > MOST_PAYLOAD_BYTES) {
    throw new Error("The frame stream is not readable.");
  }
  return {
    instanceId: uuidText(bytes.subarray(0, 16)),
    frame: view.getUint32(16, true),
    status,
    length,
    stackIndex: view.getUint32(28, true),
  };
}

function uuidText(bytes: Uint8Array): string {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
