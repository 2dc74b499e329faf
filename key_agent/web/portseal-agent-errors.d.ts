/** @param {string} code @returns {AgentState} */
export function stateOf(code: string): AgentState;
/** @param {string} version @param {string} minimum */
export function isOlder(version: string, minimum: string): boolean;
/**
 * What asks for more than an older agent does is not begun with one.
 * @param {string} version the agent's
 * @param {string} minimum
 */
export function requireVersion(version: string, minimum: string): void;
/** @param {string} version @param {string} minimum */
export function tooOld(version: string, minimum: string): AgentError;
/** Why a call did not succeed. `state` is from a closed list; `code` is the agent's own. */
export class AgentError extends Error {
    /**
     * @param {AgentState} state
     * @param {string} code
     * @param {string} detail
     * @param {Record<string, any>} [facts]
     */
    constructor(state: AgentState, code: string, detail: string, facts?: Record<string, any> | undefined);
    state: AgentState;
    code: string;
    detail: string;
    facts: Record<string, any>;
    /** How many wrong PINs the token still takes; null when it does not tell. */
    get triesLeft(): number | null;
    /**
     * After a wrong PIN, as far as the token tells; null when it does not.
     * @returns {"one" | "few" | null}
     */
    get tries(): "one" | "few" | null;
}
/**
 * Why a call of the key agent did not succeed: a closed list of states, each for a page to say in
 * its own words, and the agent's own code. (Pages import this from portseal-agent.js.)
 */
export type AgentState = "ready" | "missing" | "blocked" | "too-old" | "origin-unknown" | "origin-refused" | "busy" | "no-token" | "no-certificate" | "wrong-pin" | "locked" | "cancelled" | "timed-out" | "refused" | "failed";
