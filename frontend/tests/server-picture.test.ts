import { expect, test } from "vitest";

import { nominalWindow, queryOf, voiOf, type Wish } from "../src/core/server-picture";
import { AS_FILED } from "../src/core/voi";
import { withFound } from "../src/io/server-pictures";
import { chooseSource } from "../src/render/choose-source";
import { imageFacts } from "./facts";

const PLAIN: Wish = { window: AS_FILED, invert: false, filters: [], colourMap: "", hasOverlays: true, hasShutter: true };
const MANUAL = { kind: "manual", window: { center: 40.12345, width: 400 } } as const;

test("what is as the file has it is not asked for", () => {
  expect(queryOf(imageFacts({}), PLAIN, [], false)).toBe("rendered.png");
});

test("everything that the reader changed is asked for", () => {
  const wish: Wish = {
    window: MANUAL,
    invert: true,
    filters: [{ name: "sharpen", strength: 1.5 }],
    colourMap: "pet",
    hasOverlays: false,
    hasShutter: false,
  };
  expect(queryOf(imageFacts({}), wish, [], true)).toBe(
    "rendered.jpg?window=40.123,400&invert=1&enhance=sharpen:1.5&colormap=pet&overlays=0&shutter=0",
  );
});

test("a preset that the pixels decide goes by its code", () => {
  const preset = { code: "full", label: "Full range", key: null, window: null, percentiles: [0, 100] } as const;
  const window = { kind: "relative", name: "Full range", percentiles: [0, 100] } as const;
  expect(queryOf(imageFacts({}), { ...PLAIN, window }, [preset], false)).toBe("rendered.png?preset=full");
  expect(queryOf(imageFacts({}), { ...PLAIN, window }, [], false)).toBe("rendered.png?window=auto");
});

test("a window that only the server knows has no numbers, and a drag begins at all values", () => {
  const facts = imageFacts({});
  expect(voiOf(facts, { kind: "auto" }).width).toBeNaN();
  const twelve = imageFacts({ bits_stored: 12, rescale_slope: 1, rescale_intercept: -1024 });
  expect(nominalWindow(twelve)).toEqual({ center: 1024, width: 4096 });
});

test("a machine with little memory gets pictures by the server, and the address decides before it", () => {
  const kept = new Map<string, string>();
  globalThis.sessionStorage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  } as unknown as Storage;
  expect(chooseSource("", {})).toBe("pixels");
  expect(chooseSource("", { deviceMemory: 8 })).toBe("pixels");
  expect(chooseSource("", { deviceMemory: 1 })).toBe("server");
  expect(chooseSource("", { connection: { saveData: true } })).toBe("server");
  expect(chooseSource("?surface=pixels", { deviceMemory: 0.5 })).toBe("pixels");
  expect(chooseSource("", { deviceMemory: 0.5 })).toBe("pixels");
  expect(chooseSource("?surface=server", {})).toBe("server");
});

test("an automatic window takes the numbers that come with its picture, a chosen one keeps its own", () => {
  const automatic = voiOf(imageFacts({}), { kind: "auto" });
  expect(automatic.width).toBeNaN();
  expect(withFound(automatic, "-200.5,1401")).toMatchObject({ center: -200.5, width: 1401, function: "LINEAR_EXACT", label: "auto" });
  expect(withFound(automatic, null).width).toBeNaN();
  expect(withFound(voiOf(imageFacts({}), MANUAL), "1,2").width).toBe(400);
});
