"""One visit of a fresh browser to a viewer: when pictures are seen, and what that costs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from bench.chromium import Chromium, fresh_browser

MOST_SECONDS = 120.0
SCROLL_SECONDS = 5.0
SETTLE_SECONDS = 2.0

# Notes when a large <img> is there, and when something that is not of one colour was drawn on a
# large <canvas>: two animation frames later, for only then has the frame with it left the page.
# A canvas is read only when it was drawn on, for a page waits while it reads.
_WATCH = """
(() => {
  if (window.top !== window) return;
  const seen = window.__seen = { picture: 0, pixels: 0 };
  const probe = document.createElement('canvas');
  probe.width = probe.height = 16;
  const context = probe.getContext('2d', { willReadFrequently: true });
  const { prototype } = CanvasRenderingContext2D;
  const { drawImage, putImageData } = prototype;
  const isLarge = (element) => {
    const box = element.getBoundingClientRect();
    return element.isConnected && box.width >= 200 && box.height >= 200;
  };
  const shows = (canvas) => {
    context.clearRect(0, 0, 16, 16);
    drawImage.call(context, canvas, 0, 0, 16, 16);
    const { data } = context.getImageData(0, 0, 16, 16);
    let low = 255, high = 0;
    for (let i = 0; i < data.length; i += 4) {
      low = Math.min(low, data[i]);
      high = Math.max(high, data[i]);
    }
    return high - low > 30;
  };
  const noted = new Set();
  const note = (name) => {
    if (noted.has(name)) return;
    noted.add(name);
    requestAnimationFrame(() => requestAnimationFrame(() => {
      seen[name] = performance.now();
    }));
  };
  const check = (canvas) => {
    if (!noted.has('pixels') && isLarge(canvas) && shows(canvas)) {
      note('pixels');
      note('picture');
      Object.assign(prototype, { drawImage, putImageData });
    }
  };
  prototype.drawImage = function (...all) {
    drawImage.apply(this, all);
    if (this !== context) check(this.canvas);
  };
  // What is put may lie in a canvas that comes into the page just afterwards.
  prototype.putImageData = function (...all) {
    putImageData.apply(this, all);
    if (this !== context) queueMicrotask(() => check(this.canvas));
  };
  const look = () => {
    if (noted.has('picture')) return;
    if ([...document.images].some((image) => image.naturalWidth && isLarge(image))) note('picture');
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""

_LOADED = """(() => {
  const report = window.noctis?.report;
  const count = report ? report.loaded : (window.cornerstone?.cache?._imageCache?.size ?? 0);
  const seen = window.__seen ?? { picture: 0, pixels: 0 };
  return [count, seen.picture, seen.pixels, performance.now(), performance.timeOrigin];
})()"""

# A wheel notch in every animation frame; how many frames the page got.
_SCROLL = """((selector, seconds) => new Promise((resolve) => {
  const target = document.querySelector(selector);
  const box = target.getBoundingClientRect();
  const place = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
  const end = performance.now() + seconds * 1000;
  let frames = 0, way = 1;
  const turn = () => {
    frames += 1;
    if (performance.now() >= end) return resolve(frames);
    if (frames % 250 === 0) way = -way;
    target.dispatchEvent(new WheelEvent('wheel', {
      ...place, deltaY: 100 * way, bubbles: true, cancelable: true, composed: true }));
    requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
}))"""

_EMPTY = """(() => {
  document.body.style.margin = 0;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [1166, 660];
  document.body.append(canvas);
  const context = canvas.getContext('2d', { alpha: false });
  let number = 0;
  canvas.addEventListener('wheel', () => {
    number += 1;
    requestAnimationFrame(() => {
      context.fillStyle = number % 2 ? '#222' : '#444';
      context.fillRect(0, 0, canvas.width, canvas.height);
    });
  });
})()"""


@dataclass(frozen=True)
class Visit:
    """What one visit took: seconds since the navigation began, MB of the whole browser."""

    first_picture: float
    first_pixels: float
    all_frames: float
    memory_mb: float
    cpu_seconds: float
    scrolled: int


def visit(address: str, cookies: dict[str, str], *, count: int) -> Visit:
    """Open a viewer, wait until all `count` frames are there, and scroll through them."""
    with fresh_browser(cookies, address) as browser:
        before = browser.cpu_seconds()
        browser.prepare(_WATCH)
        browser.open(address)
        picture, pixels, whole = _wait_for_all(browser, count)
        cpu = browser.cpu_seconds() - before
        time.sleep(SETTLE_SECONDS)
        memory = browser.memory_mb()
        selector = ".picture" if browser.evaluate("'noctis' in window") else ".cornerstone-canvas"
        return Visit(picture, pixels, whole, memory, cpu, _scroll(browser, selector))


def first_picture_at(address: str, cookies: dict[str, str]) -> float:
    """Open a viewer; return the time of day at which its first picture was seen."""
    with fresh_browser(cookies, address) as browser:
        browser.prepare(_WATCH)
        browser.open(address)
        end = time.monotonic() + MOST_SECONDS
        while time.monotonic() < end:
            _count, seen, _pixels, _now, origin = browser.evaluate(_LOADED)
            if seen:
                return float(origin + seen) / 1000
            time.sleep(0.05)
    raise RuntimeError(f"{address} showed no picture")


def visit_empty() -> tuple[int, float]:
    """Return how many frames a page with an empty canvas gets for the same wheel, and its MB."""
    with fresh_browser({}, "http://127.0.0.1") as browser:
        browser.evaluate(_EMPTY)
        scrolled = _scroll(browser, "canvas")
        return scrolled, browser.memory_mb()


def _scroll(browser: Chromium, selector: str) -> int:
    return int(browser.evaluate(f"{_SCROLL}({json.dumps(selector)}, {SCROLL_SECONDS})"))


def _wait_for_all(browser: Chromium, count: int) -> tuple[float, float, float]:
    """Return in seconds: first picture, first real pixels, all frames."""
    end = time.monotonic() + MOST_SECONDS
    now: list[float] = []
    while time.monotonic() < end:
        now = browser.evaluate(_LOADED)
        if now[0] >= count and now[2]:
            return now[1] / 1000, now[2] / 1000, now[3] / 1000
        time.sleep(0.02 if now[0] > 0.9 * count else 0.1)
    raise RuntimeError(f"{browser.evaluate('location.href')} did not load everything: {now}")
