import { afterEach, expect, test, vi } from "vitest";

import type { Stack } from "../src/core/facts";
import { FrameLoader } from "../src/io/frames";
import { Traffic } from "../src/io/traffic";
import { FrameCache } from "../src/state/frame-cache";
import { imageFacts } from "./facts";

interface Asked {
  readonly address: string;
  readonly signal: AbortSignal;
}

function stack(seriesId: string, count: number): Stack {
  const images = Array.from({ length: count }, (_, frame) => imageFacts({ frame }));
  return { seriesId, version: "7", images, videos: [], presets: [], presetsWhyNot: "", suvFactor: null, displayable: true, whyNot: "" };
}

/** A server that never answers; what is asked of it is noted. */
function silent(): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal("location", { href: "https://house.example/viewer/1/" });
  vi.stubGlobal("fetch", (address: string, { signal }: { signal: AbortSignal }) => {
    asked.push({ address, signal });
    return new Promise(() => undefined);
  });
  return asked;
}

afterEach(() => vi.unstubAllGlobals());

test("another series drops what is under way, and many frames go in one request, outward from the reader", () => {
  const [asked, traffic] = [silent(), new Traffic()];
  const loader = new FrameLoader(new FrameCache(1 << 20), traffic, () => undefined, () => undefined);
  traffic.goAhead();
  loader.open(stack("a", 100), "/api/v1/series/a/stack/", 50);
  traffic.pump();
  const [first, around] = asked;
  expect(asked).toHaveLength(2);
  expect(first?.address).toBe("https://house.example/api/v1/series/a/frames/?version=7&images=50");
  // The one in sight is the first of three on, then one back: 32 more.
  expect(around?.address.split("&images=")[1]).toBe("51-52,49,53-55,48,56-58,47,59-61,46,62-64,45,65-67,44,68-70,43,71-73,42,74");
  loader.open(stack("b", 3), "/api/v1/series/b/stack/", 0);
  expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  traffic.pump();
  expect(asked.slice(2).map(({ address }) => address.split("&images=")[1])).toEqual(["0", "1-2"]);
  expect(asked.slice(2).every(({ address, signal }) => address.includes("/series/b/") && !signal.aborted)).toBe(true);
});
