/** Says on the page when news no longer come, when the server does not answer, and when one was logged out. */

import { t } from "../core/text";
import { icon, make, setText } from "./dom";

const ASK_AGAIN_MS = 5_000;

type Trouble = "news" | "server" | "session";

export class Connection {
  private readonly words = make("span");
  private readonly retry = make("button", { type: "button", class: "button" }, t("Try again"));
  readonly root = make("div", { class: "connection", role: "status", hidden: true }, icon("wifi-off"), this.words, this.retry);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isLost = false;

  constructor(
    /** An address of this server that answers whoever is logged in. */
    private readonly address: string,
    private readonly onBack: () => void,
  ) {
    this.retry.addEventListener("click", () => void this.ask());
    window.addEventListener("offline", () => this.hear("off"));
    window.addEventListener("online", () => void this.ask());
  }

  /** What the stream of news says of itself. */
  hear(state: "on" | "off"): void {
    clearTimeout(this.timer);
    if (state === "off") {
      this.isLost = true;
      void this.ask();
    } else if (this.isLost) {
      this.isLost = false;
      this.root.hidden = true;
      this.onBack();
    }
  }

  /** Finds out what is wrong, and goes on asking while something is. */
  private async ask(): Promise<void> {
    clearTimeout(this.timer);
    if (!this.isLost) {
      return;
    }
    const trouble = await this.find();
    if (!this.isLost) {
      return;
    }
    if (trouble === "news" && this.root.dataset["trouble"] === "server") {
      this.onBack();
    }
    this.root.dataset["trouble"] = trouble;
    setText(this.words, wordsOf(trouble));
    this.root.hidden = false;
    this.timer = setTimeout(() => void this.ask(), ASK_AGAIN_MS);
  }

  private async find(): Promise<Trouble> {
    try {
      const response = await fetch(this.address, { credentials: "same-origin", cache: "no-store", redirect: "manual" });
      const isOut = response.type === "opaqueredirect" || response.status === 401 || response.status === 403;
      return isOut ? "session" : response.ok ? "news" : "server";
    } catch {
      return "server";
    }
  }
}

function wordsOf(trouble: Trouble): string {
  switch (trouble) {
    case "news":
      return t("News do not come at the moment: what others change is not seen here.");
    case "server":
      return t("The server cannot be reached. What is here can still be read; nothing is saved.");
    case "session":
      return t("You are logged out. Open the page again to log in.");
  }
}
