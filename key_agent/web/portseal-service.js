// @ts-check
/**
 * Calls to a PortSeal service's HTTP interface, as every journey makes them.
 *
 * @typedef {"agent" | "token" | "challenge" | "pin" | "answer" | "initialise" | "key" | "request"
 *   | "certificate" | "prepare" | "show" | "complete" | "done"} Step
 * @typedef {(step: Step, facts?: Record<string, any>) => void} Progress
 *
 * @typedef {Object} Options
 * @property {Progress} [progress] told each step when it begins
 * @property {AbortSignal} [signal]
 * @property {string} [service] what stands before the service's paths, where it is not at the root
 *   of the page's own origin; pages of other origins have no session there
 */

/**
 * What the service refused, in its own words; where it did not answer at all, the status is 0 and
 * the code `service.unreachable`.
 */
export class ServiceError extends Error {
  /** @param {number} status @param {string} code @param {string} detail @param {any} facts */
  constructor(status, code, detail, facts) {
    super(detail);
    this.name = "ServiceError";
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.facts = facts ?? {};
  }
}

/**
 * One JSON call to the service; it tells refusals in the page's language.
 * @param {string} path
 * @param {object} body
 * @param {Options} options
 * @returns {Promise<any>} rejects with ServiceError, or as `signal` says
 */
export async function callService(path, body, { signal, service = "" } = {}) {
  const language = globalThis.document?.documentElement.lang;
  const response = await fetch(service + path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json",
      ...(language && { "Accept-Language": language }),
    },
    body: JSON.stringify(body),
    credentials: "same-origin",
    signal,
  }).catch((error) => {
    if (signal?.aborted) throw error;
    throw new ServiceError(0, "service.unreachable", "the service does not answer", {});
  });
  const told = await response.json().catch(() => ({}));
  if (response.ok) return told;
  const code = told.code ?? "service.failed";
  throw new ServiceError(response.status, code, told.detail ?? "", told.facts);
}

/**
 * Prepared signatures that nobody wants any more wait no longer at the service. Also while the page
 * is being left; that it fails costs ten minutes of room, and nothing else.
 * @param {string[]} ids
 * @param {Options} options
 */
export async function abandon(ids, { service = "" }) {
  const body = JSON.stringify({ ids });
  await fetch(`${service}/api/v1/signatures/abandon`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
    credentials: "same-origin",
    keepalive: body.length < 60_000,
  }).catch(() => null);
}

/**
 * Whether an error is about the one signature, which has to be prepared anew: the next may fare
 * better, and asked again with the same value the service would answer no other way.
 * @param {unknown} error
 */
export function isOfOneItem(error) {
  if (!(error instanceof ServiceError)) return false;
  if (error.code === "signature.too-many-attempts") return true;
  return [400, 403, 404, 409, 413, 422].includes(error.status);
}

/** @param {unknown} error */
export function codeOf(error) {
  return error instanceof ServiceError ? error.code : "";
}

/** @param {Uint8Array} octets */
export function toBase64(octets) {
  let text = "";
  for (let start = 0; start < octets.length; start += 0x8000) {
    text += String.fromCharCode(...octets.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

/** @param {string} text PEM of one certificate, or base64 already */
export function pemToBase64(text) {
  return text.replace(/-----(BEGIN|END) CERTIFICATE-----/g, "").replace(/\s+/g, "");
}
