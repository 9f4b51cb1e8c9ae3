import { expect, test, vi } from "vitest";

import { HOUSE_PREFERENCES, type Preferences } from "../src/core/preferences";
import { SettingsKeeper } from "../src/state/settings";

test("settings that were stored stay the same object, and the next wish names the new version", async () => {
  vi.useFakeTimers();
  const wishes: Preferences[] = [];
  let version = 7;
  const save = (wish: Preferences): Promise<Preferences> => {
    wishes.push(wish);
    version += 1;
    return Promise.resolve({ ...wish, version });
  };
  const keeper = new SettingsKeeper({ ...HOUSE_PREFERENCES, version }, { save, renew: () => null }, () => {});

  keeper.change({ smooth: !HOUSE_PREFERENCES.smooth });
  const changed = keeper.preferences;
  await vi.runAllTimersAsync();
  expect(keeper.isSaving).toBe(false);
  expect(keeper.preferences).toBe(changed);

  keeper.change({ isCompact: true });
  await vi.runAllTimersAsync();
  expect(wishes.map((wish) => wish.version)).toEqual([7, 8]);
  expect(wishes[1]).toMatchObject({ smooth: !HOUSE_PREFERENCES.smooth, isCompact: true });
  vi.useRealTimers();
});

test("settings that another page changed replace these, and are changed from there", async () => {
  vi.useFakeTimers();
  const versions: (number | null)[] = [];
  const stored = { ...HOUSE_PREFERENCES, version: 9, framesPerSecond: 24 };
  const save = (wish: Preferences): Promise<Preferences> => {
    versions.push(wish.version);
    return wish.version === 9 ? Promise.resolve({ ...wish, version: 10 }) : Promise.reject(new Error("Changed elsewhere."));
  };
  const keeper = new SettingsKeeper({ ...HOUSE_PREFERENCES, version: 3 }, { save, renew: () => Promise.resolve(stored) }, () => {});

  keeper.change({ isCompact: true });
  await vi.runAllTimersAsync();
  expect([keeper.preferences, keeper.problem]).toEqual([stored, "Changed elsewhere."]);

  keeper.change({ isCompact: true });
  await vi.runAllTimersAsync();
  expect(versions).toEqual([3, 9]);
  expect([keeper.preferences.framesPerSecond, keeper.problem]).toEqual([24, ""]);
  vi.useRealTimers();
});
