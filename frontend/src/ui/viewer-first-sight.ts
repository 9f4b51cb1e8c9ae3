/** What may wait until the reader has seen something: what lies ahead, marks, lists. */

const LATEST_MS = 3_000;

export class FirstSight {
  private isNoted = false;
  private isOver = false;

  constructor(private readonly then: () => void) {
    setTimeout(() => this.end(), LATEST_MS);
  }

  /** After every drawing: whether there is something on the stage, a picture or words. */
  note(isSettled: boolean): void {
    if (isSettled && !this.isNoted) {
      this.isNoted = true;
      // The first of the two comes before the picture has left the page.
      requestAnimationFrame(() => requestAnimationFrame(() => this.end()));
    }
  }

  private end(): void {
    if (!this.isOver) {
      this.isOver = true;
      this.then();
    }
  }
}
