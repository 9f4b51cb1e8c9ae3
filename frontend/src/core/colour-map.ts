/** Pseudo-colour: grey levels painted through a table of 256 colours. */

/** A colour at its place between 0 (black end) and 255 (white end); between two it runs straight. */
export interface ColourStop {
  readonly at: number;
  readonly rgb: readonly [number, number, number];
}

/** A colour map as the server lists it (`imaging.colour_maps`). */
export interface ColourMap {
  readonly code: string;
  readonly label: string;
  readonly stops: readonly ColourStop[];
}

const LEVELS = 256;

/** Red, green and blue for each grey level, one after the other; halves are rounded up. */
export function paletteOf({ stops }: ColourMap): Uint8Array {
  const palette = new Uint8Array(LEVELS * 3);
  for (let grey = 0; grey < LEVELS; grey += 1) {
    const next = Math.max(1, stops.findIndex(({ at }) => at >= grey));
    const [low, high] = [stops[next - 1] as ColourStop, stops[next] as ColourStop];
    const share = (grey - low.at) / (high.at - low.at);
    low.rgb.forEach((from, channel) => {
      const to = high.rgb[channel] as number;
      palette[grey * 3 + channel] = Math.floor(from + (to - from) * share + 0.5);
    });
  }
  return palette;
}

/** The colours of grey levels, three bytes a pixel. */
export function paintGrey(grey: Uint8Array, palette: Uint8Array): Uint8Array {
  const painted = new Uint8Array(grey.length * 3);
  for (let i = 0, to = 0; i < grey.length; i += 1, to += 3) {
    const from = (grey[i] as number) * 3;
    painted[to] = palette[from] as number;
    painted[to + 1] = palette[from + 1] as number;
    painted[to + 2] = palette[from + 2] as number;
  }
  return painted;
}
