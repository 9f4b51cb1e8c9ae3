/** Presets and colour maps from the wire. */

import type { ColourMap, ColourStop } from "../core/colour-map";
import type { Stack } from "../core/facts";
import type { Preset } from "../core/presets";
import { asList, asNumber, asNumbers, asObject, asText, type Json, type JsonObject } from "./read";

export function readOffer(wire: JsonObject): Pick<Stack, "presets" | "presetsWhyNot" | "suvFactor" | "suvFactors" | "suvMissing"> {
  const presets = asList(wire["presets"]).map((one) => readPreset(asObject(one)));
  const factors = Object.entries(asObject(wire["suv_factors"])).flatMap(([kind, factor]) => {
    const number = asNumber(factor);
    return number === null ? [] : [[kind, number] as const];
  });
  const missing = Object.entries(asObject(wire["suv_missing"])).map(([kind, words]) => [kind, asText(words)] as const);
  return {
    presets,
    presetsWhyNot: asText(wire["why_not"]),
    suvFactor: asNumber(wire["suv_factor"]),
    suvFactors: Object.fromEntries(factors),
    suvMissing: Object.fromEntries(missing),
  };
}

function readPreset(wire: JsonObject): Preset {
  const [center, width] = [asNumber(wire["center"]), asNumber(wire["width"])];
  const [low, high] = asNumbers(wire["percentiles"]);
  return {
    code: asText(wire["code"]),
    label: asText(wire["label"]),
    key: asNumber(wire["key"]),
    window: center === null || width === null ? null : { center, width },
    percentiles: low === undefined || high === undefined ? null : [low, high],
  };
}

export function readColourMaps(wire: Json | undefined): ColourMap[] {
  return asList(wire).map((one) => {
    const map = asObject(one);
    const stops = asList(map["stops"]).map((stop) => readStop(asObject(stop)));
    return { code: asText(map["code"]), label: asText(map["label"]), stops };
  });
}

function readStop(wire: JsonObject): ColourStop {
  const [red = 0, green = 0, blue = 0] = asNumbers(wire["rgb"]);
  return { at: asNumber(wire["at"]) ?? 0, rgb: [red, green, blue] };
}
