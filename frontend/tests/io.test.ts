import { describe, expect, test } from "vitest";

import { describeIndices, orderOfNeed } from "../src/core/order";
import { readPage } from "../src/io/api";
import { readPixels } from "../src/io/pixels";
import { RecordParser } from "../src/io/records";
import { FrameCache } from "../src/state/frame-cache";
import { imageFacts } from "./facts";

const ID = "01890000-0000-7000-8000-0000000000ab";

function record(stackIndex: number, status: number, payload: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(32 + payload.length);
  bytes.set(ID.replaceAll("-", "").match(/../g)?.map((hex) => Number.parseInt(hex, 16)) ?? []);
  const view = new DataView(bytes.buffer);
  view.setUint32(16, 7, true);
  view.setUint32(20, status, true);
  view.setUint32(24, payload.length, true);
  view.setUint32(28, stackIndex, true);
  bytes.set(payload, 32);
  return bytes;
}

describe("the frame stream", () => {
  const stream = [...record(3, 0, [1, 2, 3, 4]), ...record(4, 1, []), ...record(5, 2, [104, 105])];

  test.each([1, 5, 31, 32, 33, 1000])("is read alike in pieces of %i bytes", (size) => {
    const parser = new RecordParser();
    const records = [];
    for (let at = 0; at < stream.length; at += size) {
      records.push(...parser.push(Uint8Array.from(stream.slice(at, at + size))));
    }
    expect(records.map(({ stackIndex, status, instanceId, frame }) => [stackIndex, status, instanceId, frame])).toEqual([
      [3, "ok", ID, 7],
      [4, "missing", ID, 7],
      [5, "damaged", ID, 7],
    ]);
    expect([...(records[0]?.payload ?? [])]).toEqual([1, 2, 3, 4]);
    expect(new TextDecoder().decode(records[2]?.payload)).toBe("hi");
    expect(parser.isBetweenRecords).toBe(true);
  });

  test("with an unknown status is not believed", () => {
    expect(() => new RecordParser().push(record(0, 9, []))).toThrow("not readable");
  });

  test("that breaks off leaves no half picture", () => {
    const parser = new RecordParser();
    expect(parser.push(record(0, 0, [1, 2, 3, 4]).slice(0, 34))).toEqual([]);
    expect(parser.isBetweenRecords).toBe(false);
  });
});

describe("pixels", () => {
  const facts = imageFacts({ pixel_format: "i16", rows: 1, columns: 2 });

  test("are little-endian and signed as announced", () => {
    expect([...(readPixels(Uint8Array.of(0xff, 0xff, 2, 1), facts) ?? [])]).toEqual([-1, 258]);
  });

  test("of another size than announced are no pixels", () => {
    expect(readPixels(Uint8Array.of(1, 2), facts)).toBeNull();
    expect(readPixels(Uint8Array.of(1, 2, 3), facts)).toBeNull();
  });
});

describe("the order of need", () => {
  test("starts with what is visible and looks ahead more than back", () => {
    expect(orderOfNeed(10, 4, 1, 20)).toEqual([4, 5, 6, 3, 7, 8, 9, 2, 1, 0]);
    expect(orderOfNeed(5, 4, -1, 20)).toEqual([4, 3, 2, 1, 0]);
    expect(orderOfNeed(100, 50, -1, 3)).toEqual([50, 49, 48]);
  });

  test("is told to the server in runs", () => {
    expect(describeIndices([4, 5, 6, 3, 7, 8, 9, 2])).toBe("4-6,3,7-9,2");
    expect(describeIndices([])).toBe("");
  });
});

describe("the cache", () => {
  test("stays within its bytes and lets the longest unseen go", () => {
    const cache = new FrameCache(300);
    ["a", "b", "c"].forEach((key) => cache.put(key, new Uint8Array(100)));
    cache.get("a");
    cache.put("d", new Uint8Array(100));
    expect(["a", "b", "c", "d"].map((key) => cache.has(key))).toEqual([true, false, true, true]);
    expect(cache.usedBytes).toBe(300);
  });

  test("keeps one frame even when it is larger than all", () => {
    const cache = new FrameCache(10);
    cache.put("small", new Uint8Array(5));
    cache.put("large", new Uint8Array(100));
    expect([cache.has("small"), cache.has("large")]).toEqual([false, true]);
  });
});

describe("frames that nobody looks at", () => {
  const PIXELS = 64 * 128;

  /** As a scanner's: a slope, grain, air beside bone, and the ends of what 16 bits hold. */
  function frame(number: number): Int16Array<ArrayBuffer> {
    const pixels = new Int16Array(PIXELS);
    let chance = number * 7919 + 1;
    for (let i = 0; i < PIXELS; i += 1) {
      chance = (chance * 1103515245 + 12345) % 2147483648;
      pixels[i] = i % 128 < 20 ? -1000 : (i >> 5) + (chance % 25) + number;
    }
    pixels.set([-32768, 32767, -32768, -32641, -32514, 0, 127, 0, -127, 1, -127, 128], 40);
    return pixels;
  }

  test("are packed, take less, and come back bit for bit", () => {
    const cache = new FrameCache(1 << 20, 2 * frame(0).byteLength);
    for (let number = 0; number < 6; number += 1) {
      cache.put(`${number}`, frame(number));
    }
    expect(cache.usedBytes).toBeLessThan(4.5 * frame(0).byteLength);
    for (const number of [0, 3, 5, 1, 4, 2, 0]) {
      expect(cache.get(`${number}`)).toEqual(frame(number));
    }
  });

  test("stay unsigned, and as they are where packing saves nothing", () => {
    const steep = Uint16Array.from({ length: PIXELS }, (_, i) => (i * 40503) % 65536);
    const flat = Uint16Array.from({ length: PIXELS }, (_, i) => 65535 - (i >> 6));
    const cache = new FrameCache(1 << 20, 0);
    cache.put("steep", steep.slice());
    cache.put("flat", flat.slice());
    cache.put("other", flat.slice());
    cache.put("last", flat.slice());
    expect(cache.get("steep")).toEqual(steep);
    expect(cache.get("flat")).toEqual(flat);
    expect(cache.usedBytes).toBeLessThan(4 * flat.byteLength);
  });

  test("are the same pixels as long as somebody holds them", () => {
    const cache = new FrameCache(1 << 20, frame(0).byteLength);
    cache.put("shown", frame(1));
    const shown = cache.get("shown");
    cache.put("2", frame(2));
    cache.put("3", frame(3));
    expect(cache.get("shown")).toBe(shown);
    expect(shown).toEqual(frame(1));
  });

  test("give their memory to the next ones, but never what somebody has seen", () => {
    const cache = new FrameCache(1 << 20, frame(0).byteLength);
    const seen = frame(1);
    const unseen = frame(2);
    cache.put("seen", seen);
    cache.get("seen");
    cache.put("unseen", unseen);
    cache.put("3", frame(3));
    expect(cache.roomFor(unseen.byteLength)).toBe(unseen.buffer);
    expect(cache.roomFor(unseen.byteLength)).not.toBe(seen.buffer);
    new Int16Array(unseen.buffer).fill(-1);
    expect(cache.get("unseen")).toEqual(frame(2));
  });

  test("are kept ready while a volume is made of them, and the bytes are counted right", () => {
    const bytes = frame(0).byteLength;
    const cache = new FrameCache(1 << 20, bytes);
    const keys = ["0", "1", "2", "3"];
    cache.hold(new Set(keys));
    keys.forEach((key, number) => cache.put(key, frame(number)));
    expect(cache.usedBytes).toBe(4 * bytes);
    cache.hold(new Set());
    expect(cache.usedBytes).toBeLessThan(3.5 * bytes);
    keys.forEach((key, number) => expect(cache.get(key)).toEqual(frame(number)));
    keys.forEach((key) => cache.drop(key));
    expect(cache.usedBytes).toBe(0);
  });
});

describe("the page's document", () => {
  test("survives whatever kinds of values it holds", () => {
    const page = readPage('{"study": {"patient_name": 5, "has_discrepancy": "yes"}, "series": [{"id": "x"}, 3], "stack": null}');
    expect(page.study.patientName).toBe("5");
    expect(page.study.hasDiscrepancy).toBe(false);
    expect(page.stack).toBeNull();
    expect(page.activeSeriesId).toBe("x");
  });

  test("joins what images share with what they have alone", () => {
    const text = JSON.stringify({
      series: [],
      stack: { version: "v", shared: { rows: 3, slice_thickness: 2 }, images: [{ frame: 0, rows: 5 }, { frame: 1 }] },
    });
    const images = readPage(text).stack?.images ?? [];
    expect(images.map(({ rows, sliceThickness }) => [rows, sliceThickness])).toEqual([
      [5, 2],
      [3, 2],
    ]);
  });

  test("says where a millimetre comes from", () => {
    const spaced = { pixel_spacing: [0.2, 0.1] };
    expect(imageFacts({ ...spaced, pixel_spacing_source: "imager" }).spacingSource).toBe("detector");
    expect(imageFacts({ ...spaced }).pixelAspect).toBe(2);
    expect(imageFacts({ pixel_aspect_ratio: [1, 2] }).pixelAspect).toBe(0.5);
    expect(imageFacts({ pixel_spacing: [0, 1] }).pixelSpacing).toBeNull();
  });
});
