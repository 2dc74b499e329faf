// @ts-check
/**
 * Why a call of the key agent did not succeed: a closed list of states, each for a page to say in
 * its own words, and the agent's own code. (Pages import this from portseal-agent.js.)
 *
 * @typedef {"ready" | "missing" | "blocked" | "too-old" | "origin-unknown" | "origin-refused"
 *   | "busy" | "no-token" | "no-certificate" | "wrong-pin" | "locked" | "cancelled" | "timed-out"
 *   | "refused" | "failed"} AgentState
 */

/** States for the refusals of the agent, by their codes; the longest prefix counts. */
const STATES = /** @type {Record<string, AgentState>} */ ({
  "origin.unknown": "origin-unknown",
  "origin.refused": "origin-refused",
  "agent.busy": "busy",
  "agent.paused": "busy",
  "request.too-many": "busy",
  "agent.cancelled": "cancelled",
  "agent.timed-out": "timed-out",
  "token.missing": "no-token",
  "token.none": "no-token",
  "token.no-library": "no-token",
  "token.pin-wrong": "wrong-pin",
  "token.locked": "locked",
  "token.": "failed",
  "card.no-certificate": "no-certificate",
  "card.not-shown": "cancelled",
  "agent.": "failed",
  "window.failed": "failed",
  "file.locked": "failed",
  "origins.unreadable": "failed",
});

/** Why a call did not succeed. `state` is from a closed list; `code` is the agent's own. */
export class AgentError extends Error {
  /**
   * @param {AgentState} state
   * @param {string} code
   * @param {string} detail
   * @param {Record<string, any>} [facts]
   */
  constructor(state, code, detail, facts = {}) {
    super(detail);
    this.name = "AgentError";
    this.state = state;
    this.code = code;
    this.detail = detail;
    this.facts = facts;
  }

  /** How many wrong PINs the token still takes; null when it does not tell. */
  get triesLeft() {
    const tries = this.facts.tries_left;
    return typeof tries === "number" ? tries : null;
  }

  /**
   * After a wrong PIN, as far as the token tells; null when it does not.
   * @returns {"one" | "few" | null}
   */
  get tries() {
    const { tries } = this.facts;
    return tries === "one" || tries === "few" ? tries : null;
  }
}

/** @param {string} code @returns {AgentState} */
export function stateOf(code) {
  if (Object.hasOwn(STATES, code)) return STATES[code];
  return STATES[code.slice(0, code.indexOf(".") + 1)] ?? "refused";
}

/** @param {string} version @param {string} minimum */
export function isOlder(version, minimum) {
  const [have, need] = [version, minimum].map((each) => each.split(".").map(Number));
  for (let place = 0; place < Math.max(have.length, need.length); place += 1) {
    const difference = (have[place] ?? 0) - (need[place] ?? 0);
    if (difference !== 0) return !(difference > 0);
  }
  return false;
}

/**
 * What asks for more than an older agent does is not begun with one.
 * @param {string} version the agent's
 * @param {string} minimum
 */
export function requireVersion(version, minimum) {
  if (isOlder(version, minimum)) throw tooOld(version, minimum);
}

/** @param {string} version @param {string} minimum */
export function tooOld(version, minimum) {
  const facts = { version, minimum };
  return new AgentError("too-old", "agent.too-old", "the key agent is too old", facts);
}
