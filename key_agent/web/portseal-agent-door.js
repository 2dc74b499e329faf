// @ts-check
/** The way to the key agent: one request over loopback, and what the browser says of that way. */

import { AgentError, stateOf } from "./portseal-agent-errors.js";

/**
 * @param {string} address
 * @param {string} method
 * @param {object} body
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} rejects with AgentError alone
 */
export async function request(address, method, body, signal) {
  const policy = watchedPolicy(address);
  let response;
  try {
    response = await fetch(`${address}/v1/${method}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      mode: "cors",
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      referrerPolicy: "no-referrer",
      signal,
    });
  } catch {
    if (signal?.aborted) throw gaveUp();
    throw (await policy.refused()) ?? (await unreachable());
  } finally {
    policy.end();
  }
  const told = await response.json().catch(() => null);
  if (response.ok && isObject(told)) return told;
  if (told === null && signal?.aborted) throw gaveUp();
  throw isObject(told) && typeof told.code === "string"
    ? new AgentError(stateOf(told.code), told.code, String(told.detail), told.facts ?? {})
    : new AgentError("failed", "agent.answer", "the answer is not one of a key agent");
}

/**
 * Whether asking for the agent now would make the browser ask its user first.
 * @returns {Promise<boolean>}
 */
export async function wouldAskUser() {
  if (["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) return false;
  return (await loopbackPermission()) === "prompt";
}

function gaveUp() {
  return new AgentError("cancelled", "page.aborted", "the page gave up");
}

/**
 * A request that the page's own Content-Security-Policy forbids fails like one that nobody answers;
 * the browser tells the page apart from it.
 * @param {string} address
 */
function watchedPolicy(address) {
  let refused = false;
  /** @param {SecurityPolicyViolationEvent} event */
  const hear = ({ blockedURI }) => {
    refused ||= blockedURI.startsWith(address);
  };
  document.addEventListener("securitypolicyviolation", hear);
  return {
    async refused() {
      await new Promise((resolve) => setTimeout(resolve)); // it is told in a task of its own
      const words = "the page's policy does not let it ask: connect-src must name the agent";
      return refused ? new AgentError("blocked", "page.policy", words) : null;
    },
    end: () => document.removeEventListener("securitypolicyviolation", hear),
  };
}

/** The agent does not answer, or the browser did not let the page ask. */
async function unreachable() {
  return (await loopbackPermission()) === "denied"
    ? new AgentError("blocked", "browser.blocked", "the browser refused access")
    : new AgentError("missing", "agent.missing", "no key agent answers on this computer");
}

/**
 * What the browser's Local Network Access says; null where there is no such thing.
 * @returns {Promise<PermissionState | null>}
 */
async function loopbackPermission() {
  for (const name of ["loopback-network", "local-network-access"]) {
    try {
      const asked = /** @type {any} */ ({ name });
      return (await navigator.permissions.query(asked)).state;
    } catch {
      // This browser does not know the permission by this name.
    }
  }
  return null;
}

/** @param {unknown} value @returns {value is Record<string, any>} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
